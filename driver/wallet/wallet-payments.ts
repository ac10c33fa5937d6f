import { equalBytes } from '../../applet-spec/bytes.ts';
import type { Role } from '../../applet-spec/card-objects.ts';
import type { PaymentRecord, PaymentStanding } from '../../applet-spec/desk-messages.ts';
import {
  payment,
  paymentIdOf,
  withoutCertificate,
  type Payment,
} from '../../applet-spec/payment.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import {
  admission,
  receipt,
  refusal,
  type Admission,
  type Receipt,
  type Refusal,
} from '../../applet-spec/receipt.ts';
import { WalletError } from './wallet-error.ts';
import type { SqlRow, WalletFile } from './wallet-file.ts';
import { blobOf, decodeStored, numberOf, optionalBlobOf, wordOf } from './wallet-row.ts';

/** What a user keeps of a payment for ever (S39): all but the certificate. */
export interface WalletPayment {
  readonly paymentId: Uint8Array;
  readonly role: Role;
  readonly payment: Payment;
  readonly standing: PaymentStanding;
  readonly admission?: Admission;
  readonly receipt?: Receipt;
  readonly refusal?: Refusal;
  /** When the wallet first stored it. */
  readonly storedMs: number;
}

export type KeptRecord =
  | { readonly outcome: 'created' | 'updated' | 'unchanged'; readonly kept: WalletPayment }
  /** Another verdict than the one stored: the first stays, the caller reports the contradiction. */
  | { readonly outcome: 'contradiction'; readonly kept: WalletPayment };

const roles = ['payer', 'payee'] as const;
const standings = ['admitted', 'relayed', 'delivered', 'undelivered', 'refused'] as const;
const standingRank = { admitted: 0, relayed: 1, delivered: 2, undelivered: 2, refused: 2 } as const;

export class WalletPayments {
  readonly #file: WalletFile;
  readonly #primitives: Primitives;

  constructor(file: WalletFile, primitives: Primitives) {
    this.#file = file;
    this.#primitives = primitives;
  }

  /** Adds what is new in a verified record; nothing once stored is lost, and a verdict sticks. */
  keep(record: PaymentRecord, role: Role, nowMs: number): KeptRecord {
    return this.#file.atomically(() => {
      const paymentId = paymentIdOf(this.#primitives, record.payment.transactionBytes);
      const before = this.find(paymentId);
      const kept = before ?? fresh(paymentId, record, role, nowMs);
      if (before !== undefined && contradicts(before, record)) {
        return { outcome: 'contradiction', kept };
      }
      const merged = merge(kept, record);
      if (before !== undefined && sameEvidence(before, merged)) {
        return { outcome: 'unchanged', kept: before };
      }
      this.#write(merged);
      return { outcome: before === undefined ? 'created' : 'updated', kept: merged };
    });
  }

  find(paymentId: Uint8Array): WalletPayment | undefined {
    const row = this.#file.first('select * from payments where payment_id = ?', paymentId);
    return row === undefined ? undefined : this.#read(row);
  }

  ofQuote(quoteDigest: Uint8Array): WalletPayment | undefined {
    const sql = `select * from payments where quote_digest = ? and role = 'payer'`;
    const row = this.#file.first(sql, quoteDigest);
    return row === undefined ? undefined : this.#read(row);
  }

  /** The newest first. */
  all(): readonly WalletPayment[] {
    return this.#file
      .all('select * from payments order by stored_ms desc, payment_id')
      .map((row) => this.#read(row));
  }

  /**
   * All, the oldest first; a row that does not read back is named instead of ending the reading.
   */
  *each(): Generator<WalletPayment | { readonly damaged: Uint8Array; readonly detail: string }> {
    for (const row of this.#file.all('select * from payments order by stored_ms, payment_id')) {
      try {
        yield this.#read(row);
      } catch (error) {
        if (!(error instanceof WalletError)) throw error;
        yield { damaged: blobOf(row, 'payment_id'), detail: error.message };
      }
    }
  }

  /** Without a verdict so far. */
  undecided(): readonly WalletPayment[] {
    return this.#file
      .all(`select * from payments where standing in ('admitted', 'relayed') order by stored_ms`)
      .map((row) => this.#read(row));
  }

  #write(kept: WalletPayment): void {
    const { quoteDigest } = kept.payment.transaction;
    this.#file.run(
      `insert into payments (payment_id, quote_digest, role, payment, standing, admission, receipt,
         refusal, stored_ms) values (?, ?, ?, ?, ?, ?, ?, ?, ?)
       on conflict (payment_id) do update set standing = excluded.standing,
         admission = excluded.admission, receipt = excluded.receipt, refusal = excluded.refusal`,
      kept.paymentId,
      quoteDigest,
      kept.role,
      payment.encode(withoutCertificate(kept.payment)),
      kept.standing,
      kept.admission?.bytes ?? null,
      kept.receipt?.bytes ?? null,
      kept.refusal?.bytes ?? null,
      BigInt(kept.storedMs),
    );
    if (kept.role === 'payer') {
      this.#file.run(
        `update quotes set state = 'paid', payment_id = ? where quote_digest = ?`,
        kept.paymentId,
        quoteDigest,
      );
    }
  }

  #read(row: SqlRow): WalletPayment {
    const admitted = optionalBlobOf(row, 'admission');
    const verdict = optionalBlobOf(row, 'receipt');
    const refused = optionalBlobOf(row, 'refusal');
    return decodeStored('payment', () => ({
      paymentId: blobOf(row, 'payment_id'),
      role: wordOf(row, 'role', roles),
      payment: payment.decode(blobOf(row, 'payment')),
      standing: wordOf(row, 'standing', standings),
      ...(admitted && { admission: admission.decode(admitted) }),
      ...(verdict && { receipt: receipt.decode(verdict) }),
      ...(refused && { refusal: refusal.decode(refused) }),
      storedMs: numberOf(row, 'stored_ms'),
    }));
  }
}

function fresh(
  paymentId: Uint8Array,
  record: PaymentRecord,
  role: Role,
  nowMs: number,
): WalletPayment {
  const stored = withoutCertificate(record.payment);
  return { paymentId, role, payment: stored, standing: record.standing, storedMs: nowMs };
}

function merge(kept: WalletPayment, record: PaymentRecord): WalletPayment {
  const forward = standingRank[record.standing] > standingRank[kept.standing];
  const admitted = kept.admission ?? record.admission;
  const verdict = kept.receipt ?? record.receipt;
  const refused = kept.refusal ?? record.refusal;
  return {
    ...kept,
    standing: forward ? record.standing : kept.standing,
    ...(admitted && { admission: admitted }),
    ...(verdict && { receipt: verdict }),
    ...(refused && { refusal: refused }),
  };
}

function sameEvidence(before: WalletPayment, after: WalletPayment): boolean {
  return (
    before.standing === after.standing &&
    before.admission === after.admission &&
    before.receipt === after.receipt &&
    before.refusal === after.refusal
  );
}

function contradicts(before: WalletPayment, record: PaymentRecord): boolean {
  const ended = standingRank[before.standing] === 2 && standingRank[record.standing] === 2;
  if (ended && before.standing !== record.standing) return true;
  const [first, second] = [before.receipt, record.receipt];
  if (first === undefined || second === undefined) return false;
  return (
    first.body.verdict !== second.body.verdict ||
    !equalBytes(first.body.paymentId, second.body.paymentId)
  );
}
