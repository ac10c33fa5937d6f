/**
 * Failure 34: the payer's certificate ends after the payment was taken. What was admitted is owed,
 * and what it was judged by is kept.
 */
import { expect, it } from 'vitest';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import { parseCrl } from '../../applet-spec/crl.ts';
import { toHex } from '../../applet-spec/bytes.ts';
import { toStationName } from '../../applet-spec/names.ts';
import { onRoad, type Road } from './road.ts';

/** Every station judges by the list that names alice from now on. */
async function revokeAlice(road: Road): Promise<string> {
  const { serialNumber } = parseCertificate(road.alice.cardState.certificate ?? new Uint8Array());
  const old = road.station('q1').running.status().crl?.number;
  expect(await road.ca.revoke(serialNumber)).toEqual({ outcome: 'revoked' });
  road.clock.moveOn(11);
  await road.eventually('all stations have the new list', () =>
    road.stations.every((one) => one.running.status().crl?.number !== old),
  );
  return toHex(serialNumber);
}

it(
  'a payment under way is delivered, every station on it is paid, and no audit finds fault',
  onRoad({}, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(), 1]);
    const { quoteId } = await alice.quote(bob.name);
    await bob.leave();
    const { paymentId } = await alice.pay(quoteId, { waitMs: 0 });
    await road.payment('q3', paymentId, 'held');
    const serialNumber = await revokeAlice(road);
    await bob.comeBack();
    for (const { name } of road.stations) await road.payment(name, paymentId, 'delivered');
    await road.sharedCheck(paymentId);
    for (const name of ['q2', 'q3']) {
      await road.eventually(`${name} is paid`, async () => {
        const { peers } = await road.station(name).running.settle(toStationName('q1'));
        return peers[0]?.windows.some(({ state }) => state === 'paid');
      });
    }
    for (const station of road.stations) {
      const { findings, revocations } = await station.audit();
      expect(findings).toEqual([]);
      expect(revocations).toMatchObject({ paymentsBefore: 0, revoked: [{ serialNumber }] });
      const [before, after] = await station.withStore((store) => store.keptLists(0n, 10));
      expect(parseCrl(before?.bytes ?? new Uint8Array()).revoked).not.toContain(serialNumber);
      expect(parseCrl(after?.bytes ?? new Uint8Array()).revoked).toContain(serialNumber);
    }
  }),
);

it(
  'each list is kept once, over restarts, from when it was first in force',
  onRoad({ stations: 2 }, async (road) => {
    await revokeAlice(road);
    const q1 = road.station('q1');
    const kept = await q1.withStore((store) => store.keptLists(0n, 10));
    expect(kept.map(({ bytes }) => parseCrl(bytes).number)).toEqual([1n, 2n]);
    road.clock.moveOn(60);
    await q1.restart();
    expect(await q1.withStore((store) => store.keptLists(0n, 10))).toEqual(kept);
  }),
);
