import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import { toStationName } from '../../applet-spec/names.ts';
import { passTime } from './passing-time.ts';
import { onRoad, type Road } from './road.ts';
import type { RoadStation } from './road-station.ts';

/** Alice pays Bob over q2, and q4 is another way. */
const ring = { stations: 4, topology: 'ring', users: ['alice@q1', 'bob@q3'] } as const;
const avoid = [toStationName('q4')];
const words = 'the station certificate of q2 is refused: revoked: revoked by CRL 2; it has to run';

async function revoke(road: Road, { folder }: RoadStation): Promise<void> {
  const der = readFileSync(join(folder, 'certificates', 'document.der'));
  const { serialNumber } = parseCertificate(new Uint8Array(der));
  expect(await road.ca.revoke(serialNumber)).toEqual({ outcome: 'revoked' });
  road.clock.moveOn(11);
}

function linkTo(station: RoadStation, peer: string) {
  return station.running.status().links.find((link) => link.peer === peer);
}

it(
  'a relay that is revoked with a payment under way: its links end, the verdict takes another road',
  onRoad(ring, async (road) => {
    const { alice } = road;
    const bob = road.user('bob@q3');
    const q2 = road.station('q2');
    const around = [road.station('q1'), road.station('q3')];
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(['q1', 'q2', 'q3']), 3]);
    const { quoteId } = await alice.quote(bob.name, { avoid });
    await bob.leave();
    const { paymentId } = await alice.pay(quoteId, { waitMs: 0 });
    await road.payment('q3', paymentId, 'held');

    await revoke(road, q2);
    await road.eventually('q1 and q3 have ended their links', () =>
      around.every((one) => linkTo(one, 'q2')?.detail?.startsWith(words)),
    );
    for (const { log } of around) {
      expect(log.complaints.join('\n')).toMatch(/the station certificate of q2 is refused/);
    }
    await road.eventually('q2 knows why', () =>
      linkTo(q2, 'q1')?.detail?.includes('the station certificate of q2 is refused'),
    );

    await bob.comeBack();
    await road.payment('q3', paymentId, 'delivered');
    // Its receipt waits for q2; the issuer asks once the deadline has passed.
    await passTime(road, 360, ['q3', 'q4']);
    await road.payment('q1', paymentId, 'delivered');
    await road.sharedCheck(paymentId, alice, bob);
    expect((await q2.payment(paymentId))?.state).not.toBe('delivered');
    await road.atDesk(bob);
    // The way round it is in service.
    const other = await alice.share(bob.name);
    await road.sharedCheck(other.paymentId, alice, bob);
    expect(await q2.payment(other.paymentId)).toBeUndefined();

    // Neither claims nor is it claimed from, under a word that nobody can believe.
    const report = await road.station('q1').running.settle(toStationName('q2'));
    expect(report.peers).toMatchObject([{ peer: 'q2' }]);
    expect(JSON.stringify(report)).not.toMatch(/agreed|"paid"/);

    await q2.newKey('document');
    road.clock.moveOn(100);
    await road.ready();
    await road.payment('q2', paymentId, 'delivered');
    await road.eventually('its fee is paid', async () => {
      const settled = await q2.running.settle(toStationName('q1'));
      return settled.peers[0]?.claimed.count === '1' || undefined;
    });
  }),
);
