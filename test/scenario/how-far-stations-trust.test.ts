import { expect, it } from 'vitest';
import { toHex } from '../../applet-spec/bytes.ts';
import { holdingsOf, unspent } from './holdings.ts';
import { refusalOf } from './refusal.ts';
import { onRoad, type Road } from './road.ts';

/** Its fee is 2: it carries one payment of q1, and no second one before q1 has paid. */
async function trustLittle(road: Road): Promise<void> {
  const q2 = road.station('q2');
  q2.configure((toml) => toml.replace('tariff', 'positions = { peers = { q1 = 3 } }\ntariff'));
  await q2.restart();
  await road.ready();
}

function positionOf(road: Road, station: string, peer: string) {
  return road.eventually(`${station} knows where ${peer} stands`, async () => {
    const positions = await road.station(station).running.positions();
    return positions.find((one) => one.peer === peer);
  });
}

async function way(road: Road): Promise<string[]> {
  const { bill } = await road.alice.quote('bob@q3');
  return bill.map(({ station }) => station);
}

it(
  'a station that is owed enough is left out, until the issuer has paid it',
  onRoad({ stations: 5, topology: 'ring', users: ['alice@q1', 'bob@q3'] }, async (road) => {
    await trustLittle(road);
    const { alice } = road;
    const bob = road.user('bob@q3');
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(['q1', 'q2', 'q3']), 1], [road.price(['q1', 'q5', 'q4', 'q3']), 1]);
    await road.sharedCheck((await alice.share(bob.name)).paymentId, alice, bob);
    const q2 = { peer: 'q1', open: '0', unpaid: '2', limit: '3' };
    expect(await positionOf(road, 'q2', 'q1')).toEqual(q2);
    expect(await way(road)).toEqual(['q1', 'q5', 'q4', 'q3']);
    await road.sharedCheck((await alice.share(bob.name)).paymentId, alice, bob);
    await road.station('q2').running.settle();
    expect(await positionOf(road, 'q2', 'q1')).toEqual({ ...q2, unpaid: '0' });
    expect(await way(road)).toEqual(['q1', 'q2', 'q3']);
  }),
);

it(
  'without another way the payer hears who waits for whom, and no coin is used',
  onRoad({}, async (road) => {
    await trustLittle(road);
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(), 2]);
    await road.sharedCheck((await alice.share(bob.name)).paymentId);
    await road.station('q2').restart();
    await road.ready();
    const before = await holdingsOf(road);
    const refusal = await refusalOf(alice.quote(bob.name));
    expect(refusal).toMatchObject({ code: 'position-limit', outcome: 'refused' });
    expect(refusal.words).toMatch(
      /^q2 carries nothing more for q1 until that has paid it\. No coin was used: .*operator/,
    );
    expect(await holdingsOf(road)).toEqual(before);
  }),
);

it(
  'two payments that were quoted before either was paid: one is carried, one coin is replaced',
  onRoad({}, async (road) => {
    await trustLittle(road);
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(), 2]);
    const coins = new Set(alice.cardState.coins.map(({ coinId }) => toHex(coinId)));
    const quotes = [await alice.quote(bob.name), await alice.quote(bob.name)];
    const [first, second] = quotes.map(({ quoteId }) => quoteId);
    await road.sharedCheck((await alice.pay(first ?? '')).paymentId);
    const refused = await alice.pay(second ?? '');
    expect(refused).toMatchObject({ standing: 'undelivered', reason: 'position-limit' });
    expect(await road.station('q2').payment(refused.paymentId)).toBeUndefined();
    expect(await positionOf(road, 'q2', 'q1')).toMatchObject({ open: '0', unpaid: '2' });
    await road.eventually('a new coin is there', async () => (await unspent(alice)).length === 1);
    const [replacement] = alice.cardState.coins;
    expect(coins.has(toHex(replacement?.coinId ?? new Uint8Array()))).toBe(false);
  }),
);
