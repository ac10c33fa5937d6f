/** The books, recomputed from their transfers. */

export interface Movement {
  readonly debit: string;
  readonly credit: string;
  readonly amount: bigint;
}

/** Sum of debits less sum of credits, by account. */
export function balancesOf(movements: Iterable<Movement>): Map<string, bigint> {
  const balances = new Map<string, bigint>();
  for (const { debit, credit, amount } of movements) {
    balances.set(debit, (balances.get(debit) ?? 0n) + amount);
    balances.set(credit, (balances.get(credit) ?? 0n) - amount);
  }
  return balances;
}

/** Zero in books that balance (I2). */
export function trialBalance(balances: ReadonlyMap<string, bigint>): bigint {
  let sum = 0n;
  for (const balance of balances.values()) sum += balance;
  return sum;
}
