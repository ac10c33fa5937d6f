/**
 * Which transfers follow from what happened. Pure: the store posts what this says, an audit
 * recomputes it. A transfer debits one account and credits another by one amount, so books balance
 * by construction.
 */
import type { StationName, UserName } from '../../applet-spec/names.ts';
import { accounts, type AccountName } from './chart-of-accounts.ts';

export type TransferKind =
  | 'top-up'
  | 'pay-out'
  | 'buy'
  | 'refund'
  | 'expiry'
  | 'admission'
  | 'fee'
  | 'payable'
  | 'undelivered'
  | 'resolution'
  | 'recovery'
  | 'found'
  | 'settlement-paid'
  | 'settlement-received';

export interface Posting {
  readonly debit: AccountName;
  readonly credit: AccountName;
  /** Minor units, more than zero. */
  readonly amount: bigint;
  readonly kind: TransferKind;
}

export interface FeeLine {
  readonly station: StationName;
  readonly fee: bigint;
}

export type MoneyEvent =
  | { readonly event: 'top-up' | 'pay-out'; readonly user: UserName; readonly amount: bigint }
  /** Coins bought, given back, or expired: the sum of their values. */
  | {
      readonly event: 'coins-bought' | 'coins-refunded' | 'coins-expired';
      readonly user: UserName;
      readonly amount: bigint;
    }
  | { readonly event: 'payment-admitted'; readonly value: bigint }
  /** At the issuer: every line of the bill is owed. */
  | {
      readonly event: 'payment-delivered';
      readonly station: StationName;
      readonly bill: readonly FeeLine[];
    }
  /** At the issuer: the value stands behind the replacement, or makes good an earlier loss. */
  | { readonly event: 'payment-undelivered'; readonly value: bigint; readonly madeWhole: boolean }
  /** At the issuer, without a verdict: a replacement at its own risk. */
  | { readonly event: 'payer-made-whole'; readonly value: bigint }
  /** At the issuer: a coin that lost records had sold. */
  | { readonly event: 'coin-found'; readonly amount: bigint }
  /** At every other station. */
  | { readonly event: 'payment-carried'; readonly issuer: StationName; readonly fee: bigint }
  /** A settlement window's gross totals; cash moves by their difference. */
  | {
      readonly event: 'window-paid';
      readonly peer: StationName;
      readonly owed: bigint;
      readonly claimed: bigint;
    };

/** Transfers of zero are left out. Throws RangeError for an amount below zero: a defect. */
export function postingsOf(event: MoneyEvent): readonly Posting[] {
  const postings = allPostingsOf(event);
  for (const { amount, kind } of postings) {
    if (amount < 0n) throw new RangeError(`a ${kind} transfer of ${amount}`);
  }
  return postings.filter(({ amount }) => amount > 0n);
}

function allPostingsOf(event: MoneyEvent): readonly Posting[] {
  const { cash, coinsOutstanding, pendingPayments, feesEarned, resolutionLosses } = accounts;
  switch (event.event) {
    case 'top-up':
      return [transfer('top-up', cash, accounts.user(event.user), event.amount)];
    case 'pay-out':
      return [transfer('pay-out', accounts.user(event.user), cash, event.amount)];
    case 'coins-bought':
      return [transfer('buy', accounts.user(event.user), coinsOutstanding, event.amount)];
    case 'coins-refunded':
      return [transfer('refund', coinsOutstanding, accounts.user(event.user), event.amount)];
    case 'coins-expired':
      return [transfer('expiry', coinsOutstanding, accounts.user(event.user), event.amount)];
    case 'payment-admitted':
      return [transfer('admission', coinsOutstanding, pendingPayments, event.value)];
    case 'payment-delivered':
      return event.bill.map(({ station, fee }) =>
        station === event.station
          ? transfer('fee', pendingPayments, feesEarned, fee)
          : transfer('payable', pendingPayments, accounts.payable(station), fee),
      );
    case 'payment-undelivered':
      return event.madeWhole
        ? [transfer('recovery', pendingPayments, resolutionLosses, event.value)]
        : [transfer('undelivered', pendingPayments, coinsOutstanding, event.value)];
    case 'payer-made-whole':
      return [transfer('resolution', resolutionLosses, coinsOutstanding, event.value)];
    case 'coin-found':
      return [transfer('found', accounts.lostRecords, coinsOutstanding, event.amount)];
    case 'payment-carried':
      return [transfer('fee', accounts.receivable(event.issuer), feesEarned, event.fee)];
    case 'window-paid':
      return [
        transfer('settlement-paid', accounts.payable(event.peer), cash, event.owed),
        transfer('settlement-received', cash, accounts.receivable(event.peer), event.claimed),
      ];
  }
}

function transfer(
  kind: TransferKind,
  debit: AccountName,
  credit: AccountName,
  amount: bigint,
): Posting {
  return { debit, credit, amount, kind };
}
