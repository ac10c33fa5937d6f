/**
 * What must have been booked against what was: net movements per reference and account, so that
 * several ways to the same end are one. What nets to nothing is forgotten at once; memory holds
 * what is under way.
 */
export interface Movement {
  readonly debit: string;
  readonly credit: string;
  readonly amount: bigint;
}

export interface Discrepancy {
  readonly reference: string;
  /** By account: booked less expected, debits above zero. */
  readonly accounts: ReadonlyMap<string, bigint>;
  readonly kind: 'not-booked' | 'not-expected' | 'differing';
}

interface Open {
  readonly accounts: Map<string, bigint>;
  expected: boolean;
  booked: boolean;
}

export class Reconciliation {
  readonly #open = new Map<string, Open>();

  expect(reference: string, movements: readonly Movement[]): void {
    for (const movement of movements) this.#move(reference, movement, 'expected');
  }

  booked(reference: string, movement: Movement): void {
    this.#move(reference, movement, 'booked');
  }

  /** What is left when everything has been told. */
  discrepancies(): readonly Discrepancy[] {
    return [...this.#open].map(([reference, { accounts, expected, booked }]) => ({
      reference,
      accounts,
      kind: expected && booked ? 'differing' : expected ? 'not-booked' : 'not-expected',
    }));
  }

  #move(reference: string, { debit, credit, amount }: Movement, side: 'expected' | 'booked'): void {
    const open = this.#open.get(reference) ?? {
      accounts: new Map<string, bigint>(),
      expected: false,
      booked: false,
    };
    open[side] = true;
    const signed = side === 'booked' ? amount : -amount;
    add(open.accounts, debit, signed);
    add(open.accounts, credit, -signed);
    if (open.accounts.size === 0) this.#open.delete(reference);
    else this.#open.set(reference, open);
  }
}

function add(accounts: Map<string, bigint>, account: string, amount: bigint): void {
  const sum = (accounts.get(account) ?? 0n) + amount;
  if (sum === 0n) accounts.delete(account);
  else accounts.set(account, sum);
}
