/** Failures 37 to 39: no newer copy of the database is left, and neighbours know what is lost. */
import { expect, it } from 'vitest';
import { toUserName } from '../../applet-spec/names.ts';
import { checkpointSeconds, copyOf, startFrom, witnessed } from './older-copy.ts';
import { onRoad, type Road } from './road.ts';
import type { RoadStation } from './road-station.ts';

async function paid(road: Road): Promise<string> {
  const { paymentId } = await road.alice.share(road.bob.name);
  await road.sharedCheck(paymentId);
  for (const { name } of road.stations) await road.payment(name, paymentId, 'delivered');
  return paymentId;
}

async function withCoins(road: Road, count = 6): Promise<void> {
  await road.alice.station.topUp(road.alice.name, 1_000n);
  await road.alice.buy([road.price(), count]);
}

async function rebuilt(road: Road, station: RoadStation): Promise<void> {
  await rebuiltBooks(road, station);
  await cardsTold(road);
}

async function rebuiltBooks(road: Road, station: RoadStation): Promise<void> {
  await station.running.recover({});
  await road.eventually('the books are rebuilt', () => {
    const { recovery, log } = station.running.status();
    return recovery?.state === 'done' && log.rolledBack === undefined;
  });
}

async function cardsTold(road: Road): Promise<void> {
  for (const user of [road.alice, road.bob]) {
    await road.atDesk(user);
    await road.eventually('its card has every verdict', () =>
      user.station.withStore(async (store) => {
        return (await store.unconcluded(toUserName(user.name))).length === 0;
      }),
    );
  }
  await quotesOfNow(road);
}

/** Its books, whether or not it has settled since they are whole again. */
async function owned(station: RoadStation) {
  const { balances, payments } = await station.books();
  const settles = /^(cash|payable|receivable)\b/;
  const all = Object.entries(balances);
  const settled = all.filter(([name]) => settles.test(name));
  return {
    payments,
    balances: Object.fromEntries(all.filter(([name]) => !settles.test(name))),
    cashOnceSettled: settled.reduce((sum, [, amount]) => sum + amount, 0n),
  };
}

/** What was quoted before may have been lost, and is not carried. */
async function quotesOfNow(road: Road): Promise<void> {
  road.clock.moveOn(checkpointSeconds + 1);
  await road.ready();
  for (const user of [road.alice, road.bob]) await road.atDesk(user);
}

it.each([
  ['q1', 'issues'],
  ['q2', 'carries'],
  ['q3', 'decides'],
])('%s, which %s, has the payments of the lost time again and takes new ones', async (name) => {
  await onRoad({}, async (road) => {
    await withCoins(road);
    const station = road.station(name);
    const before = await paid(road);
    const copy = copyOf(road, station);
    const lost = [await paid(road), await paid(road)];
    const whole = await owned(station);
    road.clock.moveOn(checkpointSeconds);
    const size = await witnessed(road, name);
    await startFrom(road, station, copy);
    expect((await station.books()).payments).toBe(1);
    await rebuilt(road, station);
    for (const paymentId of [before, ...lost]) await road.payment(name, paymentId, 'delivered');
    expect(await owned(station)).toEqual(whole);
    await paid(road);
    road.clock.moveOn(checkpointSeconds);
    for (const one of road.stations) await witnessed(road, one.name);
    const neighbours = road.edges.flatMap(({ from, to }) => {
      return from === name ? [to] : to === name ? [from] : [];
    });
    for (const one of [name, ...neighbours]) {
      const { findings, losses } = await road.station(one).audit();
      expect(findings).toEqual([]);
      expect(losses).toMatchObject([{ station: name, generation: 1n, lost: size }]);
      const { log } = road.station(one).running.status();
      expect(log).toMatchObject({ contradicting: [], losses: [{ station: name }] });
    }
    expect((await station.audit()).restoredPayments).toBe(2);
  })();
});

/** Copies of every station's books, made while the payee's card has the offer in hand. */
async function paidWithCopies(road: Road): Promise<{ paymentId: string; copies: string[] }> {
  const copies: string[] = [];
  road.bob.card.afterNext('offer', () => {
    copies.push(...road.stations.map((station) => copyOf(road, station)));
    return Promise.resolve();
  });
  return { paymentId: await paid(road), copies };
}

it.each([
  ['q1', 0],
  ['q2', 1],
  ['q3', 2],
])(
  'a payment that had not ended in the copy of %s ends as neighbours have it',
  async (name, place) => {
    await onRoad({}, async (road) => {
      await withCoins(road, 1);
      const station = road.station(name);
      const { paymentId, copies } = await paidWithCopies(road);
      const whole = await owned(station);
      road.clock.moveOn(checkpointSeconds);
      await witnessed(road, name);
      await startFrom(road, station, copies[place]);
      expect(await station.payment(paymentId)).not.toHaveProperty('receipt');
      await rebuilt(road, station);
      await road.payment(name, paymentId, 'delivered');
      expect(await owned(station)).toEqual(whole);
    })();
  },
);

/** Only the payee's station has decided, and has lost that again. */
async function decidedAndForgotten(road: Road): Promise<string> {
  await withCoins(road);
  const q3 = road.station('q3');
  const copy = copyOf(road, q3);
  await paid(road);
  road.clock.moveOn(checkpointSeconds);
  await witnessed(road, 'q3');
  const { quoteId } = await road.alice.quote(road.bob.name);
  road.bob.card.afterNext('offer', () => q3.cutOff());
  const { paymentId } = await road.alice.pay(quoteId, { waitMs: 0 });
  await road.payment('q3', paymentId, 'delivered');
  await q3.stop();
  await q3.joinAgain();
  await startFrom(road, q3, copy);
  await road.payment('q2', paymentId, 'forwarded');
  return paymentId;
}

it(
  'a verdict that nobody else has heard is the payee’s card’s to give again',
  onRoad({}, async (road) => {
    const q3 = road.station('q3');
    const paymentId = await decidedAndForgotten(road);
    await road.bob.leave();
    await rebuiltBooks(road, q3);
    const payees = [{ payee: road.bob.name, payments: 1 }];
    expect(await q3.running.doubtful()).toEqual({ payments: 1, payees });
    await road.bob.comeBack();
    await cardsTold(road);
    // A doubt is none of the verdicts that a card waits for: its journal is read in the same visit.
    await road.eventually('nothing is in doubt any more', async () => {
      return (await q3.running.doubtful()).payments === 0;
    });
    for (const { name } of road.stations) await road.payment(name, paymentId, 'delivered');
    await road.sharedCheck(paymentId);
  }),
);

it(
  'an issuer that has forgotten coins honours what they paid, and its audit says how much that was',
  onRoad({}, async (road) => {
    const { alice } = road;
    const q1 = road.station('q1');
    await alice.station.topUp(alice.name, 1_000n);
    const copy = copyOf(road, q1);
    await alice.buy([road.price(), 1]);
    const paymentId = await paid(road);
    road.clock.moveOn(checkpointSeconds);
    await witnessed(road, 'q1');
    await startFrom(road, q1, copy);
    await rebuilt(road, q1);
    await road.payment('q1', paymentId, 'delivered');
    const { balances } = await q1.books();
    expect(balances).toMatchObject({
      'lost-records': road.price(),
      'payable:q2': -road.price(['q2']),
      'payable:q3': -road.price(['q3']),
      [`user:${alice.name}`]: -1_000n,
    });
    expect(balances['coins-outstanding']).toBeUndefined();
    expect(await q1.audit()).toMatchObject({ findings: [], lostRecords: road.price() });
    await alice.buy([road.price(), 1]);
    await paid(road);
  }),
);

it(
  'a payment that was undelivered in the lost time burns its coin in the copy too',
  onRoad({}, async (road) => {
    const { alice, bob } = road;
    const q1 = road.station('q1');
    await withCoins(road, 1);
    const copy = copyOf(road, q1);
    const { quoteId } = await alice.quote(bob.name);
    await bob.leave();
    const { paymentId } = await alice.pay(quoteId, { waitMs: 0 });
    await road.payment('q3', paymentId, 'held');
    const ended = alice.pay(quoteId);
    road.clock.moveOn(301);
    expect(await ended).toMatchObject({ standing: 'undelivered' });
    await bob.comeBack();
    await road.ready();
    road.clock.moveOn(checkpointSeconds);
    await witnessed(road, 'q1');
    await startFrom(road, q1, copy);
    await rebuilt(road, q1);
    const row = await road.payment('q1', paymentId, 'undelivered');
    const [burned] = await q1.withStore((store) => store.coins([row.coinId]));
    expect(burned?.state).toBe('burned');
  }),
);

it(
  'a relay without any database has its payments again from both sides',
  onRoad({}, async (road) => {
    const q2 = road.station('q2');
    await withCoins(road, 3);
    const lost = [await paid(road), await paid(road)];
    const whole = await owned(q2);
    road.clock.moveOn(checkpointSeconds);
    await witnessed(road, 'q2');
    await startFrom(road, q2, undefined);
    await rebuilt(road, q2);
    for (const paymentId of lost) await road.payment('q2', paymentId, 'delivered');
    expect(await owned(q2)).toEqual(whole);
    await paid(road);
  }),
);

it(
  'goes on where it was stopped, waits for who is away, and does without a neighbour that is gone',
  onRoad({}, async (road) => {
    const q2 = road.station('q2');
    await withCoins(road, 2);
    const copy = copyOf(road, q2);
    const paymentId = await paid(road);
    road.clock.moveOn(checkpointSeconds);
    await witnessed(road, 'q2');
    await startFrom(road, q2, copy);
    await road.last.cutOff();
    await expect(q2.running.recover({ leaveOut: ['q9' as never] })).rejects.toMatchObject({
      code: 'no-neighbour',
    });
    await q2.running.recover({});
    await q2.restart();
    const stateOf = (name: string) =>
      q2.running.status().recovery?.neighbours.find(({ neighbour }) => neighbour === name)?.state;
    road.clock.moveOn(5);
    await road.eventually('q1 has told', () => stateOf('q1') === 'answered');
    expect(stateOf('q3')).toBe('asking');
    expect(q2.running.status().recovery?.state).toBe('rebuilding');
    await road.payment('q2', paymentId, 'delivered');
    await q2.running.recover({ leaveOut: ['q3' as never] });
    await road.eventually('the books are rebuilt', () => {
      return q2.running.status().recovery?.state === 'done';
    });
    expect(stateOf('q3')).toBe('left-out');
    await expect(q2.running.recover({})).rejects.toMatchObject({ code: 'nothing-lost' });
    await road.last.joinAgain();
    await quotesOfNow(road);
    await paid(road);
  }),
);

/** With its neighbour, and nothing was refused. */
async function settled(road: Road, station: RoadStation): Promise<void> {
  await road.eventually(`${station.name} has settled`, async () => {
    const { peers } = await station.running.settle();
    expect(peers.flatMap(({ refused }) => refused)).toEqual([]);
    return peers.every(({ problem }) => problem === undefined);
  });
}

it.each(['q1', 'q2'])(
  'what %s had settled in the lost time is neither claimed nor paid again',
  async (name) => {
    await onRoad({ stations: 2 }, async (road) => {
      await withCoins(road);
      const station = road.station(name);
      await paid(road);
      await settled(road, road.station('q2'));
      const copy = copyOf(road, station);
      await paid(road);
      await settled(road, road.station('q2'));
      await paid(road);
      const whole = await station.books();
      road.clock.moveOn(checkpointSeconds);
      await witnessed(road, name);
      await startFrom(road, station, copy);
      await rebuilt(road, station);
      // Also what was open: its windows of the lost time are recalled first.
      await settled(road, station);
      const { balances } = await station.books();
      expect(Object.keys(balances).filter((one) => /payable|receivable/.test(one))).toEqual([]);
      expect(balances['fees-earned']).toBe(whole.balances['fees-earned']);
      await paid(road);
      await settled(road, road.station('q2'));
      for (const one of road.stations) {
        const { balances: now } = await one.books();
        expect(now['payable:q2'] ?? now['receivable:q1']).toBeUndefined();
      }
    })();
  },
);

it(
  'cards that showed themselves in the lost time are known again by their keys',
  onRoad({}, async (road) => {
    const { alice } = road;
    const q1 = road.station('q1');
    await withCoins(road, 2);
    const copy = copyOf(road, q1);
    // Each visit leaves another handle on the card than the copy knows.
    for (let visits = 0; visits < 3; visits++) {
      await alice.leave();
      await alice.comeBack();
    }
    await paid(road);
    road.clock.moveOn(checkpointSeconds);
    await witnessed(road, 'q1');
    await startFrom(road, q1, copy);
    await rebuilt(road, q1);
    await paid(road);
    await alice.leave();
    await alice.comeBack();
  }),
);
