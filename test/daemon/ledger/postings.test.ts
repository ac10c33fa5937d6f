import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accounts, isGuarded, natureOf } from '../../../daemon/ledger/chart-of-accounts.ts';
import { postingsOf, type MoneyEvent } from '../../../daemon/ledger/postings.ts';
import { balancesOf, trialBalance } from '../../../daemon/ledger/trial-balance.ts';
import { alice, q1, q2, q3, threeStations } from '../../contract/store-fixture.ts';

/** What an account's reader calls its balance: raised by its own side. */
function worth(events: readonly MoneyEvent[]): Record<string, bigint> {
  const balances = balancesOf(events.flatMap(postingsOf));
  expect(trialBalance(balances)).toBe(0n);
  const names = [accounts.cash, accounts.coinsOutstanding, accounts.pendingPayments];
  const others = [accounts.feesEarned, accounts.resolutionLosses, accounts.lostRecords];
  const parties = [
    accounts.user(alice),
    accounts.payable(q2),
    accounts.payable(q3),
    accounts.receivable(q1),
  ];
  return Object.fromEntries(
    [...names, ...others, ...parties].flatMap((name) => {
      const balance = balances.get(name) ?? 0n;
      const nature = natureOf(name);
      const debitSide = nature === 'asset' || nature === 'expense';
      return balance === 0n ? [] : [[name, debitSide ? balance : -balance]];
    }),
  );
}

const bought = [
  { event: 'top-up', user: alice, amount: 20n },
  { event: 'coins-bought', user: alice, amount: 12n },
] as const;
const admitted = [...bought, { event: 'payment-admitted', value: 12n }] as const;
const delivered = { event: 'payment-delivered', station: q1, bill: threeStations } as const;

describe('postings', () => {
  it('S1: cash becomes an account, the account becomes coins', () => {
    expect(worth(bought)).toEqual({ cash: 20n, 'coins-outstanding': 12n, 'user:alice@q1': 8n });
  });

  it('S1: coins become money again by refund and by expiry, and money is paid out', () => {
    expect(
      worth([
        ...bought,
        { event: 'coins-refunded', user: alice, amount: 7n },
        { event: 'coins-expired', user: alice, amount: 5n },
        { event: 'pay-out', user: alice, amount: 19n },
      ]),
    ).toEqual({ cash: 1n, 'user:alice@q1': 1n });
  });

  it('S1: a statement tells coins given back from coins that expired', () => {
    const [given] = postingsOf({ event: 'coins-refunded', user: alice, amount: 7n });
    const [ended] = postingsOf({ event: 'coins-expired', user: alice, amount: 5n });
    expect([given?.kind, ended?.kind]).toEqual(['refund', 'expiry']);
  });

  it('a coin found on a card, whose sale the books have lost, is owed again', () => {
    expect(worth([{ event: 'coin-found', amount: 9n }])).toEqual({
      'coins-outstanding': 9n,
      'lost-records': 9n,
    });
  });

  it('S34: an admitted payment is pending', () => {
    expect(worth(admitted)).toMatchObject({ 'pending-payments': 12n });
  });

  it('S38: a delivered payment is earned here and owed to the others', () => {
    expect(worth([...admitted, delivered])).toEqual({
      cash: 20n,
      'user:alice@q1': 8n,
      'fees-earned': 5n,
      'payable:q2': 4n,
      'payable:q3': 3n,
    });
  });

  it('an undelivered payment stands behind the replacement', () => {
    const undelivered = { event: 'payment-undelivered', value: 12n, madeWhole: false } as const;
    expect(worth([...admitted, undelivered])).toEqual(worth(bought));
  });

  it('a payer made whole is a loss, which a late undelivered makes good', () => {
    const whole = [...admitted, { event: 'payer-made-whole', value: 12n }] as const;
    expect(worth(whole)).toMatchObject({ 'resolution-losses': 12n, 'coins-outstanding': 12n });
    const late = { event: 'payment-undelivered', value: 12n, madeWhole: true } as const;
    expect(worth([...whole, late])).toEqual(worth(bought));
    expect(worth([...whole, delivered])).toMatchObject({
      'resolution-losses': 12n,
      'coins-outstanding': 12n,
      'payable:q2': 4n,
    });
  });

  it('S51, S52: a carried payment is receivable, and settlement clears both sides', () => {
    const carried = { event: 'payment-carried', issuer: q1, fee: 4n } as const;
    expect(worth([carried])).toEqual({ 'receivable:q1': 4n, 'fees-earned': 4n });
    const paidTo = { event: 'window-paid', peer: q1, owed: 0n, claimed: 4n } as const;
    expect(worth([carried, paidTo])).toEqual({ cash: 4n, 'fees-earned': 4n });
    const paidBy = { event: 'window-paid', peer: q2, owed: 4n, claimed: 0n } as const;
    expect(worth([...admitted, delivered, paidBy])).toEqual({
      cash: 16n,
      'user:alice@q1': 8n,
      'fees-earned': 5n,
      'payable:q3': 3n,
    });
  });

  it('leave zeros out and refuse what is below', () => {
    expect(postingsOf({ event: 'payment-carried', issuer: q1, fee: 0n })).toEqual([]);
    expect(() => postingsOf({ event: 'payment-carried', issuer: q1, fee: -1n })).toThrow(
      RangeError,
    );
  });

  it('move exactly the bill, whatever it is (I4)', () => {
    const fees = fc.array(fc.bigInt({ min: 0n, max: 2n ** 40n }), { minLength: 2, maxLength: 3 });
    fc.assert(
      fc.property(fees, (amounts) => {
        const bill = amounts.map((fee, i) => ({ station: [q1, q2, q3][i] ?? q3, fee }));
        const value = amounts.reduce((sum, fee) => sum + fee, 0n);
        const admission = { event: 'payment-admitted', value } as const;
        const balances = balancesOf(
          [admission, { event: 'payment-delivered', station: q1, bill } as const].flatMap((event) =>
            postingsOf(event),
          ),
        );
        expect(balances.get('pending-payments') ?? 0n).toBe(0n);
        expect(balances.get('coins-outstanding') ?? 0n).toBe(value);
        expect(trialBalance(balances)).toBe(0n);
      }),
    );
  });

  it('guard user accounts alone', () => {
    expect(isGuarded(accounts.user(alice))).toBe(true);
    expect(isGuarded(accounts.cash)).toBe(false);
  });
});
