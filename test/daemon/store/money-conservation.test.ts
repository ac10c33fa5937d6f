import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CashMovement } from '../../../daemon/store/audit-store.ts';
import { openSqliteStore } from '../../../daemon/store/sqlite-store.ts';
import type { CoinState, Store } from '../../../daemon/store/store.ts';
import { sqliteOptions } from '../../contract/sqlite-store-bench.ts';
import { MoneyModel, type Operation } from './money-model.ts';
import { allNames, beginWorkload, observe, opening, operation, perform } from './money-workload.ts';

const everyState: readonly CoinState[] = [
  'reserved',
  'loading',
  'unspent',
  'pending',
  'spent',
  'burned',
  'retiring',
  'refunded',
  'exchanged',
  'expired',
];

/** Their value is somewhere else: in the account, or in the coins that took their place. */
const leftBehind: ReadonlySet<CoinState> = new Set(['burned', 'refunded', 'exchanged', 'expired']);

const payer = { user: 'alice@q1' } as const;
/** Through every state that a coin can have. */
const grandTour: readonly Operation[] = [
  { do: 'admit', payment: 'p1', coin: 'o1/0', ...payer },
  { do: 'confirm' },
  { do: 'deliver', payment: 'p1' },
  { do: 'admit', payment: 'p2', coin: 'o1/1', ...payer },
  { do: 'fail', payment: 'p2' },
  { do: 'refund', order: 'r1', coin: 'o1/2', ...payer },
  { do: 'finish', order: 'r1' },
  { do: 'top-up', amount: 60, slip: 's2', ...payer },
  { do: 'buy', order: 'o2', count: 3, ...payer },
  { do: 'load', order: 'o2' },
  { do: 'loaded', order: 'o2' },
  { do: 'exchange', order: 'r2', coin: 'o2/0', ...payer },
  { do: 'finish', order: 'r2' },
  { do: 'admit', payment: 'p3', coin: 'o2/1', ...payer },
  { do: 'make-whole', payment: 'p3' },
  { do: 'deliver', payment: 'p3' },
  { do: 'expire' },
];

/**
 * I3: what a user paid in is in the account, on the card, or signed away by the card; a payer made
 * whole may have more. I9: a coin that was given back has paid for nothing.
 */
async function nobodyLost(store: Store): Promise<void> {
  for (const { user, balance } of await store.users()) {
    const movements = {
      in: await store.cashMovements('top-up', undefined, 1_000),
      out: await store.cashMovements('pay-out', undefined, 1_000),
    };
    const total = (moved: readonly CashMovement[]): bigint =>
      moved.reduce((sum, one) => sum + (one.user === user ? one.amount : 0n), 0n);
    const all = await store.coinsOf(user, everyState, undefined, 10_000);
    const worth = all
      .filter(({ state }) => !leftBehind.has(state))
      .reduce((sum, { value }) => sum + value, 0n);
    expect(total(movements.in) - total(movements.out)).toBeLessThanOrEqual(balance + worth);
    const returned = all.filter(({ state }) => state === 'refunded' || state === 'exchanged');
    expect(returned.filter(({ paymentId }) => paymentId !== undefined)).toEqual([]);
  }
}

describe('money and coins', () => {
  it('do what an independent model does, whatever is asked (I1–I3, I9–I11)', async () => {
    const seen = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 60, size: 'max' }), async (operations) => {
        const store = await openSqliteStore(sqliteOptions(':memory:'));
        try {
          const model = new MoneyModel();
          await beginWorkload(store);
          for (const step of [...opening, ...operations]) {
            model.apply(step);
            await perform(store, step);
            expect(await observe(store, allNames)).toEqual(model.observe());
            for (const { state } of model.coins.values()) seen.add(state);
          }
          await nobodyLost(store);
        } finally {
          await store.close();
        }
      }),
      { numRuns: 250, examples: [[[...grandTour]]] },
    );
    // A model that nothing ever happens in proves nothing.
    expect([...seen].sort()).toEqual([...everyState].sort());
  }, 60_000);

  it('are the same after everything is asked twice (I24)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { maxLength: 40, size: 'max' }), async (operations) => {
        const store = await openSqliteStore(sqliteOptions(':memory:'));
        try {
          await beginWorkload(store);
          const model = new MoneyModel();
          for (const step of [...opening, ...operations]) {
            model.apply(step);
            await Promise.all([perform(store, step), perform(store, step)]);
          }
          expect(await observe(store, allNames)).toEqual(model.observe());
        } finally {
          await store.close();
        }
      }),
      { numRuns: 80 },
    );
  }, 60_000);
});
