/** Failure 40: nothing new is begun, and what was begun comes to its end. */
import { expect, it } from 'vitest';
import { holdingsOf, unspent } from './holdings.ts';
import { refusalOf } from './refusal.ts';
import { onRoad, type Road } from './road.ts';

const lookSeconds = 5;

/** What the operator reads. */
function says(road: Road, station: string, words: string): Promise<unknown> {
  return road.eventually(`${station} says "${words}"`, () => {
    return Promise.resolve(
      road.station(station).log.lines.some(({ msg }) => msg.includes(words)) || undefined,
    );
  });
}

async function fill(road: Road, station: string): Promise<void> {
  road.station(station).freeBytes = 255 * 2 ** 20;
  road.clock.moveOn(lookSeconds);
  await says(road, station, 'the disk is almost full');
}

async function makeRoom(road: Road, station: string): Promise<void> {
  road.station(station).freeBytes = 256 * 2 ** 20;
  road.clock.moveOn(lookSeconds);
  await says(road, station, 'there is room on the disk again');
}

it(
  'the payer’s own station quotes nothing, sells and exchanges nothing, but gives money back',
  onRoad({}, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(), 2]);
    const quoted = await alice.quote(bob.name);
    await fill(road, 'q1');
    const before = await holdingsOf(road);
    const price = [{ value: String(road.price()), count: 1 }];
    const words = 'The disk of q1 is almost full; its operator has to make room.';
    for (const asked of [
      () => alice.quote(bob.name),
      () => alice.pay(quoted.quoteId),
      () => alice.buy([7n, 1]),
      () => alice.run('exchange', { lines: [{ value: '1', count: 2 }] }),
    ]) {
      const refusal = await refusalOf(asked());
      expect(refusal).toMatchObject({ code: 'overloaded', outcome: 'refused' });
      expect(refusal.words).toContain(words);
    }
    expect(await holdingsOf(road)).toEqual(before);
    expect(road.station('q1').running.status().disk.isShort).toBe(true);
    await alice.run('refund', { lines: price });
    await makeRoom(road, 'q1');
    await road.sharedCheck((await alice.pay(quoted.quoteId)).paymentId);
  }),
);

it(
  'a station on the way is left out; without another way the payer hears why',
  onRoad({ stations: 4, topology: 'ring', users: ['alice@q1', 'bob@q3'] }, async (road) => {
    const { alice } = road;
    const bob = road.user('bob@q3');
    const way = async () => (await alice.quote(bob.name)).bill.map(({ station }) => station);
    expect(await way()).toEqual(['q1', 'q2', 'q3']);
    await fill(road, 'q2');
    expect(await way()).toEqual(['q1', 'q4', 'q3']);
    await fill(road, 'q4');
    const refusal = await refusalOf(alice.quote(bob.name));
    expect(refusal).toMatchObject({ code: 'overloaded', outcome: 'refused' });
    expect(refusal.words).toMatch(/^The disk of q[24] is almost full; .* No coin was used: try/);
    await makeRoom(road, 'q2');
    expect(await way()).toEqual(['q1', 'q2', 'q3']);
  }),
);

it(
  'a payment that was quoted before is not carried, and its coin is replaced',
  onRoad({}, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(), 1]);
    const { quoteId } = await alice.quote(bob.name);
    await fill(road, 'q2');
    const paid = await alice.pay(quoteId);
    expect(paid).toMatchObject({ standing: 'undelivered', reason: 'overloaded' });
    expect(await road.station('q2').payment(paid.paymentId)).toBeUndefined();
    await road.eventually('a new coin is there', async () => (await unspent(alice)).length === 1);
  }),
);

it(
  'a payment that was begun before ends, and is settled, with every disk almost full',
  onRoad({}, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(), 1]);
    const { quoteId } = await alice.quote(bob.name);
    await bob.leave();
    const { paymentId } = await alice.pay(quoteId, { waitMs: 0 });
    await road.payment('q3', paymentId, 'held');
    for (const { name } of road.stations) await fill(road, name);
    await bob.comeBack();
    expect(await alice.pay(quoteId)).toMatchObject({ standing: 'delivered' });
    await road.sharedCheck(paymentId);
    for (const name of ['q2', 'q3']) {
      const { peers } = await road.station(name).running.settle();
      expect(peers).toMatchObject([{ peer: 'q1' }]);
      expect(await road.station(name).running.positions()).toMatchObject([{ unpaid: '0' }]);
    }
  }),
);
