/** A station's accounts (design §8), as a bookkeeper would name them. */
import type { StationName, UserName } from '../../applet-spec/names.ts';

export type AccountName =
  | 'cash'
  | 'coins-outstanding'
  | 'pending-payments'
  | 'fees-earned'
  | 'resolution-losses'
  | 'lost-records'
  | `user:${UserName}`
  | `payable:${StationName}`
  | `receivable:${StationName}`;

/** Debits raise assets and expenses; credits raise liabilities and income. */
export type AccountNature = 'asset' | 'expense' | 'liability' | 'income';

export const accounts = {
  /** What the operator holds: users' money in, settlements in and out. */
  cash: 'cash',
  /** Owed to whoever holds our coins. */
  coinsOutstanding: 'coins-outstanding',
  /** Value of admitted payments without a verdict. */
  pendingPayments: 'pending-payments',
  feesEarned: 'fees-earned',
  /** Coins replaced at our own risk, when no verdict came by the resolution deadline. */
  resolutionLosses: 'resolution-losses',
  /** Coins that came to light after records were lost: who paid for them is not known. */
  lostRecords: 'lost-records',
  user: (user: UserName): AccountName => `user:${user}`,
  /** Owed to a station that carried our coins. */
  payable: (station: StationName): AccountName => `payable:${station}`,
  /** Owed to us by the issuer of coins that we carried. */
  receivable: (station: StationName): AccountName => `receivable:${station}`,
} as const;

export function natureOf(account: AccountName): AccountNature {
  if (account === 'cash' || account.startsWith('receivable:')) return 'asset';
  if (account === 'resolution-losses' || account === 'lost-records') return 'expense';
  if (account === 'fees-earned') return 'income';
  return 'liability';
}

/** User accounts may never be overdrawn; the database itself refuses (I2). */
export function isGuarded(account: AccountName): boolean {
  return account.startsWith('user:');
}
