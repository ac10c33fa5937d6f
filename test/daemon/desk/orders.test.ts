/** Orders that a visit before left half-way, and one among them that cannot be resumed. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../../applet-spec/bytes.ts';
import { DeskError } from '../../../daemon/desk/desk-error.ts';
import { Orders, type OrdersCard, type OrdersContext } from '../../../daemon/desk/orders.ts';
import type { NewCoin } from '../../../daemon/store/store.ts';
import { sqliteBench } from '../../contract/sqlite-store-bench.ts';
import {
  addUser,
  alice,
  buyLoaded,
  euro,
  newCoin,
  orderIdFrom,
  startMs,
} from '../../contract/store-fixture.ts';
import type { StoreBench } from '../../contract/store-subject.ts';

let bench: StoreBench;
/** Which coins the card took, each by the name of its order. */
let loaded: string[];
/** How often it was asked to take some. */
let asked: number;
/** What the operator read. */
let complaints: string[];
let card: OrdersCard & { faultOf: Map<string, DeskError> };
const names = new Map<string, string>();

beforeEach(async () => {
  bench = await sqliteBench();
  [loaded, asked, complaints] = [[], 0, []];
  const faultOf = new Map<string, DeskError>();
  const unused = () => Promise.reject(new Error('not asked'));
  card = {
    faultOf,
    inTurn: (operation) => operation(),
    load: (coins) => {
      asked++;
      const orders = coins.map(({ coinId }) => names.get(toHex(coinId)) ?? '');
      const fault = [...orders, ...coins.map(({ coinId }) => toHex(coinId))]
        .map((name) => faultOf.get(name))
        .find((one) => one !== undefined);
      if (fault !== undefined) return Promise.reject(fault);
      loaded.push(...orders);
      return bench.store
        .markLoading(coins.map(({ coinId }) => coinId))
        .then(() => ({ outcome: 'loaded', coins: [] }));
    },
    retire: (order) => {
      const fault = faultOf.get(toHex(order.orderId));
      if (fault !== undefined) return Promise.reject(fault);
      return Promise.resolve('retired');
    },
    erase: () => Promise.resolve(),
    eraseExpired: unused,
  };
});
afterEach(() => bench.close());

function orders(): Orders {
  const context: OrdersContext = {
    store: bench.store,
    clock: { nowMs: () => startMs, after: () => () => undefined },
    log: { warn: (_detail: object, words: string) => complaints.push(words) },
    currency: euro,
    standing: { refusal: undefined },
    room: { refusal: undefined },
    mint: { mint: () => Promise.reject(new Error('not asked')) },
    coinObjection: () => undefined,
  };
  return new Orders(context, alice, card, () => undefined);
}

function coinsOf(order: string, count: number): NewCoin[] {
  return Array.from({ length: count }, (_, i) => {
    const coin = newCoin(`${order} ${i}`);
    names.set(toHex(coin.coinId), order);
    return coin;
  });
}

async function reserved(order: string, count: number): Promise<void> {
  const coins = coinsOf(order, count);
  const lines = [{ value: 12n, count }];
  const orderId = orderIdFrom(order);
  await bench.store.topUp(alice, 12n * BigInt(count), `money for ${order}`, startMs);
  const made = { orderId, user: alice, lines, coins, nowMs: startMs };
  expect(await bench.store.reserveCoins(made)).toBe('created');
}

const cardFault = new DeskError('card-fault', 'The card answered LOAD COINS with not-found.');

describe('an order that cannot be resumed', () => {
  beforeEach(() => addUser(bench.store, alice, 0n));

  it('keeps no other from going on, and is told of', async () => {
    for (const order of ['a', 'b', 'c']) await reserved(order, 2);
    card.faultOf.set('a', cardFault);
    await orders().resume();
    expect(loaded).toEqual(['b', 'b', 'c', 'c']);
    expect(complaints).toEqual(['an order could not be resumed']);
  });

  it('keeps none from going on however many coins it is for', async () => {
    for (const order of ['a', 'b', 'c']) await reserved(order, order === 'c' ? 2 : 1_000);
    for (const order of ['a', 'b']) card.faultOf.set(order, cardFault);
    await orders().resume();
    expect(loaded).toEqual(['c', 'c']);
  });

  it('and that returns coins keeps none from going on', async () => {
    const coins = coinsOf('old', 2);
    await bench.store.topUp(alice, 24n, 'money for old', startMs);
    await buyLoaded(bench.store, alice, orderIdFrom('old'), coins);
    const [one, other] = coins.map(({ coinId }, i) => ({
      ...{ orderId: orderIdFrom('refund', i), user: alice, operation: 'refund' as const },
      ...{ coinIds: [coinId], lines: [], replacements: [], nowMs: startMs },
    }));
    for (const order of [one, other]) {
      if (order !== undefined) expect(await bench.store.retire(order)).toBe('created');
    }
    card.faultOf.set(toHex(orderIdFrom('refund', 0)), cardFault);
    await reserved('a', 1);
    await orders().resume();
    expect(loaded).toEqual(['a']);
    expect(await bench.store.openRetirements(alice)).toMatchObject([{ orderId: one?.orderId }]);
  });

  it('as the card is gone ends the visit', async () => {
    const gone = new DeskError('outcome-unknown', 'The host is gone.');
    for (const order of ['a', 'b']) {
      await reserved(order, 2);
      card.faultOf.set(order, gone);
    }
    await expect(orders().resume()).rejects.toMatchObject({ code: 'outcome-unknown' });
    expect(loaded).toEqual([]);
    expect(asked).toBe(1);
  });

  it('for one of its coins has its others loaded', async () => {
    await reserved('a', 40);
    const [first] = await bench.store.coinsOfOrder(orderIdFrom('a'));
    card.faultOf.set(toHex(first?.coinId ?? new Uint8Array(0)), cardFault);
    await orders().resume();
    expect(loaded).toHaveLength(39);
    expect(complaints).toEqual(['an order could not be resumed']);
  });
});
