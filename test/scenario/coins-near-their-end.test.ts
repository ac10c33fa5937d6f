import { expect, it } from 'vitest';
import { toHex } from '../../applet-spec/bytes.ts';
import type { CommandName } from '../../applet-spec/commands.ts';
import { unspent } from './holdings.ts';
import { onRoad, type Road } from './road.ts';
import type { RoadUser } from './road-user.ts';

/** Coins of a day: the last six hours are near their end. */
const shortLived = { stations: 2, more: '[coins]\nvalid-days = 1' } as const;
const nearEndSeconds = 19 * 3_600;

function coinIds({ cardState }: RoadUser): string[] {
  return cardState.coins.map(({ coinId }) => toHex(coinId));
}

/** The card has as many coins as before, and none of those. */
function allNew(user: RoadUser, old: readonly string[]): boolean {
  const now = coinIds(user);
  const isOld = new Set(old);
  return now.length === old.length && !now.some((coinId) => isOld.has(coinId));
}

/** Alice has coins of two values, and her agent was away until they are near their end. */
async function awayUntilNearTheEnd(road: Road): Promise<string[]> {
  const { alice } = road;
  await alice.station.topUp(alice.name, 100n);
  await alice.buy([2n, 3], [5n, 2]);
  const old = coinIds(alice);
  await alice.leave();
  road.clock.moveOn(nearEndSeconds);
  return old;
}

/** Nothing was lost, and nothing is under way any more. */
async function expectSameMoney(road: Road): Promise<void> {
  const { alice } = road;
  expect(await unspent(alice)).toEqual([2n, 2n, 2n, 5n, 5n]);
  const { account, ending } = await alice.run('balance', {});
  expect({ account, ending }).toEqual({ account: '84', ending: { coins: 0, value: '0' } });
  expect(alice.host.wallet.orders.pending()).toEqual([]);
  const { balances } = await alice.station.books();
  expect(balances['coins-outstanding']).toBe(-16n);
}

it(
  'an agent that comes back exchanges coins near their end for new ones, by itself',
  onRoad(shortLived, async (road) => {
    const { alice } = road;
    const old = await awayUntilNearTheEnd(road);
    await alice.comeBack();
    await road.eventually('all coins are new', () => allNew(alice, old));
    await expectSameMoney(road);
    const fresh = coinIds(alice);
    await alice.leave();
    await alice.comeBack();
    await alice.run('connect', {});
    expect(coinIds(alice)).toEqual(fresh);
  }),
);

const steps: readonly CommandName[] = ['authorise', 'retireCoins', 'eraseCoins', 'loadCoins'];
for (const command of steps) {
  it(
    `the same, and the station stops once the card has carried out ${command}`,
    onRoad(shortLived, async (road) => {
      const { alice } = road;
      const old = await awayUntilNearTheEnd(road);
      let stopped = false;
      alice.card.afterNext(command, async () => {
        await alice.station.stop();
        stopped = true;
      });
      await alice.comeBack();
      await road.eventually('q1 has stopped', () => stopped);
      await alice.station.start();
      await road.eventually('all coins are new', () => allNew(alice, old));
      await road.atDesk(alice);
      await expectSameMoney(road);
    }),
  );

  it(
    `the same, and the agent ends after ${command}`,
    onRoad(shortLived, async (road) => {
      const { alice } = road;
      const old = await awayUntilNearTheEnd(road);
      const reached = new Promise<void>((resolve) => {
        alice.card.afterNext(command, () => {
          resolve();
          return Promise.resolve();
        });
      });
      await alice.comeBack();
      await reached;
      await alice.leave();
      await alice.comeBack();
      await road.eventually('all coins are new', () => allNew(alice, old));
      await expectSameMoney(road);
    }),
  );
}

/** A payment with a coin that ends three minutes later, while bob is away. */
async function heldBeyondTheEnd(road: Road): Promise<string> {
  const { alice, bob } = road;
  await alice.station.topUp(alice.name, 100n);
  await alice.buy([road.price(), 1]);
  await alice.leave();
  road.clock.moveOn(86_400 - 180);
  await alice.comeBack();
  await road.ready();
  await road.atDesk(bob);
  const { quoteId } = await alice.quote(bob.name);
  await bob.leave();
  const { paymentId } = await alice.pay(quoteId, { waitMs: 0 });
  await road.payment(road.last.name, paymentId, 'held');
  // Other coins would be money by now: the station looks once a minute.
  for (let minute = 0; minute < 4; minute++) road.clock.moveOn(60);
  return paymentId;
}

const untouched = { ...shortLived, renewDays: 0 } as const;

it(
  'a coin that ends while its payment is under way pays all the same',
  onRoad(untouched, async (road) => {
    const { alice, bob } = road;
    const paymentId = await heldBeyondTheEnd(road);
    await bob.comeBack();
    await road.payment('q1', paymentId, 'delivered');
    await road.sharedCheck(paymentId);
    expect(alice.cardState.coins).toEqual([]);
    expect((await alice.run('balance', {})).account).toBe(String(100n - road.price()));
  }),
);

it(
  'the same, and it is not delivered: the coin that replaces it lives its whole time',
  onRoad(untouched, async (road) => {
    const { alice, bob } = road;
    const paymentId = await heldBeyondTheEnd(road);
    road.clock.moveOn(301);
    await road.payment('q1', paymentId, 'undelivered');
    await road.eventually('the coin is replaced', async () => (await unspent(alice)).length === 1);
    await bob.comeBack();
    expect(await unspent(alice)).toEqual([road.price()]);
    const { account, ending } = await alice.run('balance', {});
    expect({ account, ending }).toEqual({
      account: String(100n - road.price()),
      ending: { coins: 0, value: '0' },
    });
  }),
);

it(
  'a coin that ends before the quote does is not asked to pay it; an exchange makes a new one',
  onRoad(untouched, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 100n);
    await alice.buy([road.price(), 1]);
    await alice.leave();
    road.clock.moveOn(86_400 - 90);
    await alice.comeBack();
    await road.ready();
    await road.atDesk(bob);
    const { quoteId, matchingCoins } = await alice.quote(bob.name);
    expect(matchingCoins).toBe(0);
    const why = `the coins of ${road.price()} minor units end before the quote does`;
    await expect(alice.pay(quoteId)).rejects.toMatchObject({
      code: 'no-matching-coin',
      message: `${why}, and pay it no more`,
    });
    const { standing } = await alice.pay(quoteId, { exchange: true });
    expect(standing).toBe('delivered');
  }),
);
