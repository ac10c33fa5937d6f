import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openSqliteStore } from '../../../daemon/store/sqlite-store.ts';
import { sqliteOptions } from '../../contract/sqlite-store-bench.ts';
import { MoneyModel, type Operation } from './money-model.ts';
import { allNames, beginWorkload, observe, opening, operation, perform } from './money-workload.ts';

const everyState = [
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

describe('money and coins', () => {
  it('do what an independent model does, whatever is asked (I1, I2, I11)', async () => {
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
