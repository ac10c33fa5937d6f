import { expect, it } from 'vitest';
import { unspent } from './holdings.ts';
import { refusalOf } from './refusal.ts';
import { onRoad, type Road } from './road.ts';

async function purse(road: Road, coins: number): Promise<void> {
  const { alice } = road;
  await alice.station.topUp(alice.name, 10_000n);
  await alice.buy([road.price(), coins]);
}

/** What a payment that is not made must leave alone. */
async function untouched({ alice, stations }: Road) {
  const books = await Promise.all(stations.map((station) => station.books()));
  return { coins: await unspent(alice), books };
}

it(
  'a payee who takes no key that is paid for cannot make others burn keys for ever',
  onRoad({ more: 'failures = { payees = 3 }' }, async (road) => {
    const { alice, bob } = road;
    await purse(road, 5);
    const quotes = [];
    for (let i = 0; i < 4; i++) quotes.push((await alice.quote(bob.name)).quoteId);
    const last = quotes.pop() ?? '';
    await bob.leave();
    const paid = [];
    for (const quoteId of quotes) paid.push((await alice.pay(quoteId, { waitMs: 0 })).paymentId);
    for (const paymentId of paid) await road.payment('q3', paymentId, 'held');
    const before = await untouched(road);
    const burned = road.device('q2', 'q3').fetched;
    const refused = await refusalOf(alice.pay(last));
    expect(refused).toMatchObject({ code: 'too-many-failures', outcome: 'refused' });
    expect(refused.words).toMatch(
      /payments of bob@q3 were not delivered: 3 an hour .* at \d{4}-.*Z\. No coin was used: wait/,
    );
    expect(await untouched(road)).toEqual(before);
    expect(alice.station.running.status().refused).toMatchObject([{ who: bob.name, perHour: 3 }]);
    expect(road.device('q2', 'q3').fetched).toBe(burned);
    road.clock.moveOn(301);
    for (const paymentId of paid) await road.payment('q1', paymentId, 'undelivered');
    await bob.comeBack();
    await road.eventually(
      'the coins are replaced',
      async () => (await unspent(alice)).length === 5,
    );
    await road.ready();
    expect(await refusalOf(alice.quote(bob.name))).toMatchObject({ code: 'too-many-failures' });
    road.clock.moveOn(1_200);
    const quoted = await road.eventually('alice is quoted a price again', () =>
      alice.quote(bob.name).catch(() => undefined),
    );
    await road.sharedCheck((await alice.pay(quoted.quoteId)).paymentId);
  }),
);

it(
  'an honest payer is not hindered, however often the keys are paid for and delivered',
  onRoad({ more: 'failures = { payers = 1, payees = 1, stations = 1 }' }, async (road) => {
    const { alice, bob } = road;
    await purse(road, 6);
    for (let i = 0; i < 6; i++) {
      await road.sharedCheck((await alice.share(bob.name)).paymentId);
    }
  }),
);
