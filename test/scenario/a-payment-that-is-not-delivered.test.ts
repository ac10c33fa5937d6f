import { expect, it } from 'vitest';
import { toHex } from '../../applet-spec/bytes.ts';
import type { ErrandResult } from '../../driver/agent/errands.ts';
import { unspent } from './holdings.ts';
import { onRoad, type Road } from './road.ts';

/** Alice has two coins of the exact price and a quote for one. */
async function quoted(road: Road): Promise<ErrandResult<'quote'>> {
  await road.alice.station.topUp(road.alice.name, 100n);
  await road.alice.buy([road.price(), 2]);
  return road.alice.quote(road.bob.name);
}

/**
 * I18, I19, I20: nothing is paid, a new coin of the same value is there, and the old secret is no
 * key.
 */
async function expectMadeGood(road: Road, paymentId: string, secrets: Set<string>): Promise<void> {
  const { alice, bob } = road;
  await road.eventually(
    'the coin is replaced on the card',
    async () => (await unspent(alice)).length === 2,
  );
  expect(await unspent(alice)).toEqual([road.price(), road.price()]);
  const q1 = await road.station('q1').payment(paymentId);
  const fresh = alice.cardState.coins.filter(({ secret }) => !secrets.has(toHex(secret)));
  expect(fresh).toHaveLength(1);
  const [burned] = await alice.station.withStore((store) =>
    store.coins(q1 === undefined ? [] : [q1.coinId]),
  );
  expect(burned?.state).toBe('burned');
  for (const user of [alice, bob]) expect(await user.keyCheck(paymentId)).toBeUndefined();
  for (const station of road.stations) {
    const { balances } = await station.books();
    expect(balances['fees-earned']).toBeUndefined();
    expect(balances['pending-payments']).toBeUndefined();
  }
  expect((await alice.run('balance', {})).account).toBe(String(100n - 2n * road.price()));
}

function secretsOn(road: Road): Set<string> {
  return new Set(road.alice.cardState.coins.map(({ secret }) => toHex(secret)));
}

it(
  'the payee leaves after the quote: undelivered, and the same value is back on the card',
  onRoad({}, async (road) => {
    const { alice, bob } = road;
    const { quoteId } = await quoted(road);
    const secrets = secretsOn(road);
    await bob.leave();
    const { paymentId } = await alice.pay(quoteId, { waitMs: 0 });
    await road.payment('q3', paymentId, 'held');
    const ended = alice.pay(quoteId);
    road.clock.moveOn(301);
    expect(await ended).toMatchObject({ standing: 'undelivered', reason: 'payee-absent' });
    await bob.comeBack();
    await expectMadeGood(road, paymentId, secrets);
    await road.ready();
    const again = await alice.share(bob.name);
    expect(again.standing).toBe('delivered');
    await road.sharedCheck(again.paymentId);
  }),
);

it(
  'the payee’s station refuses a late payment, and one that it has buried stays buried',
  onRoad({}, async (road) => {
    const { alice } = road;
    const { quoteId } = await quoted(road);
    const secrets = secretsOn(road);
    await road.last.cutOff();
    const { paymentId } = await alice.pay(quoteId, { waitMs: 0 });
    await road.payment('q2', paymentId, 'held');
    road.clock.moveOn(400);
    await road.last.joinAgain();
    await road.payment('q1', paymentId, 'undelivered');
    await expectMadeGood(road, paymentId, secrets);
  }),
);

it(
  'no verdict by the resolution deadline: the coin is replaced, and a verdict still counts',
  onRoad({}, async (road) => {
    const { alice, bob } = road;
    const { quoteId } = await quoted(road);
    const { paymentId } = await (async () => {
      // The key reaches bob's card; the word of it does not come back.
      let paid: Promise<ErrandResult<'pay'>> | undefined;
      await new Promise<void>((resolve) => {
        bob.card.afterNext('offer', async () => {
          await road.last.cutOff();
          resolve();
        });
        paid = alice.pay(quoteId, { waitMs: 0 });
      });
      return paid ?? Promise.reject(new Error('nothing was paid'));
    })();
    await road.payment('q3', paymentId, 'delivered');
    road.clock.moveOn(86_500);
    await road.eventually('the coin is replaced', async () => {
      const { balances } = await road.station('q1').books();
      return balances['resolution-losses'];
    });
    await alice.leave();
    await alice.comeBack();
    await road.eventually(
      'the new coin is on the card',
      async () => (await unspent(alice)).length === 2,
    );
    expect((await road.station('q1').payment(paymentId))?.state).toBe('relayed');
    expect(await alice.keyCheck(paymentId)).toBeUndefined();
    await road.last.joinAgain();
    await road.payment('q1', paymentId, 'delivered');
    await road.sharedCheck(paymentId);
  }),
);
