import { expect, it } from 'vitest';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import { holdingsOf, unspent } from './holdings.ts';
import { onRoad, type Road } from './road.ts';

/** Alice has coins of the exact price. */
async function supply(road: Road, coins: number): Promise<void> {
  await road.alice.station.topUp(road.alice.name, 1_000n);
  await road.alice.buy([road.price(), coins]);
}

it(
  'S34 a coin that a cloned card spends again is refused, and the first payment stands',
  onRoad({ stations: 2 }, async (road) => {
    const { alice, bob } = road;
    await supply(road, 1);
    const clone = alice.cardState;
    const first = await alice.share(bob.name);
    await road.sharedCheck(first.paymentId);
    const before = await holdingsOf(road);
    await alice.forge({ ...alice.cardState, coins: clone.coins });
    const { quoteId } = await alice.quote(bob.name);
    const second = await alice.pay(quoteId);
    expect(second).toMatchObject({ standing: 'refused', reason: 'coin-not-unspent' });
    expect(await unspent(alice)).toEqual([]);
    const after = await holdingsOf(road);
    for (const { name } of road.stations) {
      expect(after.stations[name]?.balances).toEqual(before.stations[name]?.balances);
    }
    const { paymentId } = second;
    const kept = await road.payment('q1', paymentId, 'refused');
    expect(kept.payer).toBe(alice.name);
    const note = road.station('q1').log.lines.find(({ msg }) => msg.includes('had paid with'));
    expect(note).toMatchObject({
      user: alice.name,
      paymentId,
      first: first.paymentId,
      signature: 'holds',
    });
    expect(await road.station('q2').payment(paymentId)).toBeUndefined();
    expect(await road.payment('q2', first.paymentId, 'delivered')).toBeDefined();
  }),
);

it(
  'S34 a signature that is not the payer’s is refused with a signed word, and the coin is replaced',
  onRoad({ stations: 2 }, async (road) => {
    const { alice, bob } = road;
    await supply(road, 2);
    const stranger = bob.cardState.privateKey;
    const honest = alice.cardState;
    if (stranger === undefined) throw new Error('bob has no key');
    await alice.forge({ ...honest, privateKey: stranger });
    const { quoteId } = await alice.quote(bob.name);
    const paid = await alice.pay(quoteId);
    expect(paid).toMatchObject({ standing: 'refused', reason: 'verification-failed' });
    await road.eventually('the coin is replaced', async () => (await unspent(alice)).length === 2);
    expect(await unspent(alice)).toEqual([road.price(), road.price()]);
    expect(await road.station('q2').payment(paid.paymentId)).toBeUndefined();
    expect((await road.station('q1').books()).balances['fees-earned']).toBeUndefined();
  }),
);

it(
  'S34 a payer whose certificate was revoked pays no more, and loses nothing',
  onRoad({ stations: 2 }, async (road) => {
    const { alice, bob } = road;
    await supply(road, 2);
    const { quoteId } = await alice.quote(bob.name);
    const { serialNumber } = parseCertificate(alice.cardState.certificate ?? new Uint8Array());
    const number = () => road.station('q1').running.status().crl?.number;
    const old = number();
    await road.ca.revoke(serialNumber);
    road.clock.moveOn(11);
    await road.eventually('q1 has the new list', () => number() !== old);
    const paid = await alice.pay(quoteId);
    expect(paid).toMatchObject({ standing: 'refused', reason: 'certificate-not-valid' });
    await road.eventually('the coin is replaced', async () => (await unspent(alice)).length === 2);
    expect(await road.station('q2').payment(paid.paymentId)).toBeUndefined();
  }),
);
