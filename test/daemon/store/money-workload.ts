/** The model's operations, done to a real store; and the store seen as the model is. */
import fc from 'fast-check';
import { toUserName } from '../../../applet-spec/names.ts';
import { trialBalance } from '../../../daemon/ledger/trial-balance.ts';
import { StoreError } from '../../../daemon/store/store-error.ts';
import type { NewCoin, Store } from '../../../daemon/store/store.ts';
import * as made from '../../contract/store-fixture.ts';
import { coinValue, users, type Observation, type Operation } from './money-model.ts';

const expiry = made.startSeconds + 864_000n;

function namedCoin(name: string, value = coinValue): NewCoin {
  return made.newCoin(name, BigInt(value), expiry);
}

export async function beginWorkload(store: Store): Promise<void> {
  for (const user of users) await store.addUser(toUserName(user), made.euro);
}

/**
 * What the graph forbids is a rejection here and nothing in the model; any other fault is thrown.
 */
export async function perform(store: Store, operation: Operation): Promise<void> {
  try {
    await attempt(store, operation);
  } catch (fault) {
    const expected = fault instanceof StoreError && ['wrong-state', 'unknown'].includes(fault.code);
    if (!expected) throw fault;
  }
}

async function attempt(store: Store, operation: Operation): Promise<unknown> {
  switch (operation.do) {
    case 'top-up': {
      const { user, amount, slip } = operation;
      return store.topUp(toUserName(user), BigInt(amount), slip, made.startMs);
    }
    case 'buy': {
      const { order, user, count } = operation;
      const coins = Array.from({ length: count }, (_, i) => namedCoin(`${order}/${i}`));
      return store.reserveCoins({
        orderId: made.orderIdFrom(order),
        user: toUserName(user),
        lines: [{ value: BigInt(coinValue), count }],
        coins,
        nowMs: made.startMs,
      });
    }
    case 'load':
    case 'loaded': {
      const coins = await store.coinsOfOrder(made.orderIdFrom(operation.order));
      const ids = coins.map(({ coinId }) => coinId);
      return operation.do === 'load' ? store.markLoading(ids) : store.markLoaded(ids);
    }
    case 'admit':
      return store.admit([paymentOf(operation)]);
    case 'refuse': {
      const replacement = namedCoin(`for ${operation.payment}`);
      const refusal = made.bytesFrom('refusal', operation.payment);
      return store.refuse([{ payment: paymentOf(operation), refusal, replacement }]);
    }
    case 'confirm': {
      const rows = await store.outbox(made.q2, 1_000);
      return store.confirmOutbox(
        made.q2,
        rows.map(({ rowId }) => rowId),
      );
    }
    case 'deliver':
      return store.decide([made.delivered(operation.payment)]);
    case 'fail':
      return store.decide([
        made.undelivered(operation.payment, namedCoin(`for ${operation.payment}`)),
      ]);
    case 'make-whole': {
      const paymentId = made.bytesFrom('payment', operation.payment);
      const replacement = namedCoin(`for ${operation.payment}`);
      return store.makeWhole([{ paymentId, replacement, nowMs: made.startMs }]);
    }
    case 'refund':
    case 'exchange':
      return retire(store, operation);
    case 'finish':
      return store.finishRetirement(made.orderIdFrom(operation.order), made.startMs);
    case 'cancel':
      return store.cancelRetirement(made.orderIdFrom(operation.order));
    case 'expire':
      return store.expireCoins(expiry, 1_000);
  }
}

function paymentOf({ payment, coin, user }: { payment: string; coin: string; user: string }) {
  return made.issuerPayment(payment, namedCoin(coin), { payer: toUserName(user) });
}

function retire(
  store: Store,
  { do: operation, order, user, coin }: Extract<Operation, { readonly do: 'refund' | 'exchange' }>,
) {
  const halves = ['first', 'second'].map((half) => `${half} half of ${order}`);
  return store.retire({
    orderId: made.orderIdFrom(order),
    user: toUserName(user),
    operation,
    coinIds: [namedCoin(coin).coinId],
    replacements:
      operation === 'refund' ? [] : halves.map((half) => namedCoin(half, coinValue / 2)),
    nowMs: made.startMs,
  });
}

/** Throws where the books do not balance, or totals are not the sums of their transfers. */
export async function observe(
  store: Store,
  names: { readonly coins: Iterable<string>; readonly payments: Iterable<string> },
): Promise<Observation> {
  const coinNames = [...names.coins];
  const paymentNames = [...names.payments];
  const coins = await store.coins(coinNames.map((name) => namedCoin(name).coinId));
  const payments = await store.payments(
    paymentNames.map((name) => made.bytesFrom('payment', name)),
  );
  const balances = await store.balances();
  if (trialBalance(balances) !== 0n) throw new Error('the books do not balance (I2)');
  const sums = new Map<string, bigint>();
  for (const { debit, credit, amount } of await store.transfers(0n, 100_000)) {
    sums.set(debit, (sums.get(debit) ?? 0n) + amount);
    sums.set(credit, (sums.get(credit) ?? 0n) - amount);
  }
  for (const [name, balance] of balances) {
    if ((sums.get(name) ?? 0n) !== balance)
      throw new Error(`${name} is not the sum of its entries`);
  }
  return {
    coins: named(coinNames, coins),
    payments: named(paymentNames, payments),
    balances: Object.fromEntries(
      [...balances].filter(([, sum]) => sum !== 0n).map(([name, sum]) => [name, `${sum}`]),
    ),
  };
}

function named(names: readonly string[], rows: readonly ({ state: string } | undefined)[]) {
  return Object.fromEntries(
    names.flatMap((name, i): [string, string][] => {
      const state = rows[i]?.state;
      return state === undefined ? [] : [[name, state]];
    }),
  );
}

const orders = ['o1', 'o2', 'o3'];
const payments = ['p1', 'p2', 'p3', 'p4'];
const retirements = ['r1', 'r2', 'r3'];

/** Every coin that any of the operations below can make. */
export const allNames = {
  coins: [
    ...orders.flatMap((order) => [0, 1, 2].map((i) => `${order}/${i}`)),
    ...payments.map((payment) => `for ${payment}`),
    ...retirements.flatMap((order) => [`first half of ${order}`, `second half of ${order}`]),
  ],
  payments,
};

const user = fc.constantFrom(...users);
const coin = fc.constantFrom(...allNames.coins);
const order = fc.constantFrom(...orders);
const payment = fc.constantFrom(...payments);
const retirement = fc.constantFrom(...retirements);

export const operation: fc.Arbitrary<Operation> = fc.oneof(
  fc.record({
    do: fc.constant('top-up'),
    user,
    amount: fc.integer({ min: 1, max: 60 }),
    slip: fc.constantFrom('s1', 's2', 's3', 's4'),
  }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('buy'),
      user,
      order,
      count: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('load', 'loaded'), order }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('admit'), payment, user, coin }) },
  fc.record({ do: fc.constant('refuse'), payment, user, coin }),
  fc.record({ do: fc.constant('confirm') }),
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constantFrom('deliver', 'fail', 'make-whole'), payment }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('refund', 'exchange'),
      order: retirement,
      user,
      coin,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('finish', 'cancel'), order: retirement }),
  },
  fc.record({ do: fc.constant('expire') }),
);

/** Money and coins first, so that most runs get somewhere. */
export const opening: readonly Operation[] = [
  { do: 'top-up', user: 'alice@q1', amount: 50, slip: 's1' },
  { do: 'buy', user: 'alice@q1', order: 'o1', count: 3 },
  { do: 'load', order: 'o1' },
  { do: 'loaded', order: 'o1' },
];
