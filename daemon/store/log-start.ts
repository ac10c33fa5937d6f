/**
 * The log of a database that is older than logs: leaves for everything stored before, in the order
 * of its transfers, and behind them those of payments that ended without money.
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { paymentEnd } from '../witness/log-leaf.ts';
import type { Transfer } from './book-store.ts';
import type { EndedPayment } from './log-rows.ts';
import type { PaymentRows } from './payment-rows.ts';
import type { StoreParts } from './store-parts.ts';
import type { PaymentRow } from './store.ts';

const pageRows = 1_000;
const endingKinds: ReadonlySet<string> = new Set(['fee', 'payable', 'undelivered', 'recovery']);

/** Once, as migration 0011 asks for it; now, outside any group. */
export function logWhatWasBefore(parts: StoreParts, payments: PaymentRows): void {
  const { database } = parts;
  const marker = database.prepare<[]>("DELETE FROM meta WHERE name = 'log-awaits-what-was-before'");
  database.writeNow(() => {
    if (marker.run().changes > 0) new EarlierLeaves(parts, payments).append();
  });
}

class EarlierLeaves {
  readonly #parts: StoreParts;
  readonly #payments: PaymentRows;
  readonly #ended = new Set<bigint>();

  constructor(parts: StoreParts, payments: PaymentRows) {
    this.#parts = parts;
    this.#payments = payments;
  }

  append(): void {
    let step: Transfer[] = [];
    for (const transfer of this.#transfers()) {
      const [first] = step;
      const same =
        first?.timeMs === transfer.timeMs && equalBytes(first.reference, transfer.reference);
      if (!same) this.#appendStep(step);
      step = same ? [...step, transfer] : [transfer];
    }
    this.#appendStep(step);
    for (const { number } of this.#endedPayments()) {
      const row = this.#ended.has(number) ? undefined : this.#payments.row(number);
      if (row?.decidedMs === undefined) continue;
      const end = endOf(this.#parts.primitives, number, row);
      this.#parts.log.append({
        reference: row.paymentId,
        timeMs: row.decidedMs,
        transfers: [],
        between: undefined,
        end,
      });
    }
  }

  #appendStep(step: readonly Transfer[]): void {
    const [first, last] = [step[0], step.at(-1)];
    if (first === undefined || last === undefined) return;
    const { reference, timeMs } = first;
    this.#parts.log.append({
      reference,
      timeMs,
      transfers: step,
      between: [first.number, last.number],
      end: this.#endIn(step, reference),
    });
  }

  #endIn(step: readonly Transfer[], reference: Uint8Array): EndedPayment | undefined {
    if (!step.some(({ kind }) => endingKinds.has(kind))) return undefined;
    const number = this.#payments.find(reference);
    if (number === undefined) return undefined;
    this.#ended.add(number);
    return endOf(this.#parts.primitives, number, this.#payments.row(number));
  }

  *#transfers(): Iterable<Transfer> {
    for (let after = 0n; ;) {
      const page = this.#parts.ledger.transfers(after, pageRows);
      yield* page;
      const last = page.at(-1);
      if (last === undefined) return;
      after = last.number;
    }
  }

  *#endedPayments(): Iterable<{ readonly number: bigint }> {
    const ended = this.#parts.database.prepare<
      [bigint, number],
      { readonly number: bigint }
    >(`SELECT number FROM payment WHERE decided_ms IS NOT NULL AND number > ?
       ORDER BY number LIMIT ?`);
    for (let after = 0n; ;) {
      const page = ended.all(after, pageRows);
      yield* page;
      const last = page.at(-1);
      if (last === undefined) return;
      after = last.number;
    }
  }
}

function endOf(
  primitives: Primitives,
  number: bigint,
  { state, payment, receipt, refusal }: PaymentRow,
): EndedPayment | undefined {
  const word = receipt ?? refusal;
  const ended = state === 'delivered' || state === 'undelivered' || state === 'refused';
  if (!ended || word === undefined) return undefined;
  return { number, ...paymentEnd(primitives, state, primitives.sha256(payment), word) };
}
