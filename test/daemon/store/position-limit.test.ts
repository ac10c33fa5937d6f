/** I8 against a model that shares nothing with the store: a list of what each payment came to. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { StationName } from '../../../applet-spec/names.ts';
import { openSqliteStore } from '../../../daemon/store/sqlite-store.ts';
import type { NewPayment, Store } from '../../../daemon/store/store.ts';
import { sqliteOptions } from '../../contract/sqlite-store-bench.ts';
import {
  bytesFrom,
  delivered,
  newCoin,
  q1,
  q2,
  q3,
  relayPayment,
  startMs,
  undelivered,
} from '../../contract/store-fixture.ts';

const limit = 20;
const issuers = [q1, q3];

interface Carried {
  readonly name: string;
  readonly issuer: StationName;
  readonly fee: number;
  state: 'open' | 'earned' | 'undelivered' | 'paid';
}

const issuer = fc.constantFrom(...issuers);
const hold = fc.record({
  do: fc.constant('hold' as const),
  payments: fc.array(fc.record({ issuer, fee: fc.nat(9) }), { minLength: 1, maxLength: 5 }),
});
const decide = fc.record({
  do: fc.constantFrom('deliver' as const, 'fail' as const),
  which: fc.nat(40),
});
const settle = fc.record({ do: fc.constant('settle' as const), with: issuer });

function paymentOf({ name, issuer: by, fee }: Carried): NewPayment {
  const bill = [
    { station: by, fee: 1n },
    { station: q2, fee: BigInt(fee) },
  ];
  return {
    ...relayPayment(name, newCoin(name), { bill }),
    issuer: by,
    positionLimit: BigInt(limit),
  };
}

/** One window with every claim that there is, agreed and paid. */
async function settleAll(store: Store, peer: StationName, earned: readonly Carried[]) {
  const { sequence } = await store.openWindow(peer, startMs);
  const claims = earned.map(({ name, fee }) => ({
    redemptionId: bytesFrom('redemption', name),
    paymentId: bytesFrom('payment', name),
    amount: BigInt(fee),
  }));
  await store.putClaims('ours', peer, sequence, claims);
  await store.closeWindow(peer, sequence);
  const theirs = { count: BigInt(earned.length), amount: BigInt(sumOf(earned)) };
  const totals = { ours: { count: 0n, amount: 0n }, theirs };
  await store.agreeWindow(peer, sequence, totals, bytesFrom('signed'));
  expect(await store.payWindow(peer, sequence, 'bank', startMs)).toBe('paid');
}

function sumOf(carried: readonly Carried[]): number {
  return carried.reduce((sum, { fee }) => sum + fee, 0);
}

/** What a station lends, told a second time. */
class Loans {
  refusals = 0;
  readonly #store: Store;
  readonly #carried: Carried[] = [];
  #names = 0;

  constructor(store: Store) {
    this.#store = store;
  }

  owed(by: StationName): number {
    const lent = this.#carried.filter(({ state }) => state === 'open' || state === 'earned');
    return sumOf(lent.filter((one) => one.issuer === by));
  }

  async hold(wishes: readonly Pick<Carried, 'issuer' | 'fee'>[]): Promise<void> {
    const asked = wishes.map((wish): Carried => {
      return { ...wish, name: `payment ${this.#names++}`, state: 'open' };
    });
    const outcomes = await this.#store.hold(asked.map(paymentOf));
    for (const [i, one] of asked.entries()) {
      const fits = one.fee === 0 || this.owed(one.issuer) + one.fee <= limit;
      expect(outcomes[i]?.outcome).toBe(fits ? 'created' : 'position-limit');
      if (fits) this.#carried.push(one);
      else this.refusals++;
    }
  }

  async decide(which: number, state: 'earned' | 'undelivered'): Promise<void> {
    const one = this.#carried.filter((open) => open.state === 'open')[which];
    if (one === undefined) return;
    await this.#store.decide([(state === 'earned' ? delivered : undelivered)(one.name)]);
    one.state = state;
  }

  async settle(by: StationName): Promise<void> {
    const earned = this.#carried.filter(
      ({ state, fee, issuer: of }) => state === 'earned' && fee > 0 && of === by,
    );
    await settleAll(this.#store, by, earned);
    for (const one of earned) one.state = 'paid';
  }
}

it('an issuer may owe all that it is trusted with, and never more, whatever happens', async () => {
  let refusals = 0;
  const steps = fc.array(fc.oneof(hold, decide, settle), { maxLength: 40, size: 'max' });
  await fc.assert(
    fc.asyncProperty(steps, async (story) => {
      const store = await openSqliteStore(sqliteOptions(':memory:'));
      const loans = new Loans(store);
      try {
        for (const step of story) {
          if (step.do === 'hold') await loans.hold(step.payments);
          else if (step.do === 'settle') await loans.settle(step.with);
          else await loans.decide(step.which, step.do === 'deliver' ? 'earned' : 'undelivered');
          for (const by of issuers) expect(await store.position(by)).toBe(BigInt(loans.owed(by)));
        }
      } finally {
        refusals += loans.refusals;
        await store.close();
      }
    }),
    { numRuns: 100 },
  );
  // A limit that is never met proves nothing.
  expect(refusals).toBeGreaterThan(0);
}, 60_000);
