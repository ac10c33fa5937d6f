/**
 * Stored payments as rows: finding, reading, changing; inside the transactions of the other parts.
 */
import { toStationName, type StationName, type UserName } from '../../applet-spec/names.ts';
import type { FeeLine } from '../ledger/postings.ts';
import type { SqliteDatabase } from './database.ts';
import { bucketOf, bytesOf, bytesOrNone, present, RecentRows } from './row-values.ts';
import { StoreError } from './store-error.ts';
import type { NewPayment, PaymentRole, PaymentRow, PaymentState } from './store.ts';

/** Some tens of seconds of payments at full speed, about 10 MB. */
const recentMost = 65_536;

/** What a change of state needs to know. */
export interface PaymentHead {
  readonly number: bigint;
  readonly payment_id: Uint8Array;
  readonly role: PaymentRole;
  readonly state: PaymentState;
  readonly issuer: StationName;
  readonly coin_id: Uint8Array;
  readonly value: bigint;
  readonly fee: bigint;
  readonly outbox_row: bigint | null;
  /** Of the stored payment; null where that was stored before there were logs. */
  readonly content_hash: Uint8Array | null;
}

export interface StoredPayment extends PaymentHead {
  readonly payer: UserName;
  readonly payee: UserName;
  readonly quote_digest: Uint8Array;
  readonly previous: StationName | null;
  readonly next: StationName | null;
  readonly delivery_deadline: bigint;
  readonly resolution_deadline: bigint;
  readonly stored_ms: bigint;
  readonly decided_ms: bigint | null;
  readonly card_concluded: bigint;
  readonly change: bigint;
  readonly payment: Uint8Array;
  readonly admission: Uint8Array | null;
  readonly receipt: Uint8Array | null;
  readonly refusal: Uint8Array | null;
}

export class PaymentRows {
  readonly #sql: ReturnType<typeof preparePayments>;
  readonly #recent = new RecentRows(recentMost);
  readonly #buckets = new Set<bigint>();
  /** The last change number given in this call; undefined until the call asks for one. */
  #change: bigint | undefined;

  constructor(database: SqliteDatabase) {
    this.#sql = preparePayments(database);
    database.beforeEnd(() => {
      if (this.#change !== undefined) this.#sql.putChange.run(this.#change);
      this.#change = undefined;
    });
    database.afterRollback(() => {
      this.#change = undefined;
      this.#recent.clear();
      this.#buckets.clear();
    });
  }

  /**
   * The deadline, where it is known, leads straight to the payment, or to its absence; without it
   * all buckets that ever were are looked through, the newest first.
   */
  find(paymentId: Uint8Array, deliveryDeadline?: bigint): bigint | undefined {
    const recent = this.#recent.get(paymentId);
    if (recent !== undefined) return recent;
    const row =
      deliveryDeadline === undefined
        ? this.#sql.byId.get(paymentId)
        : this.#sql.byBucket.get(bucketOf(deliveryDeadline), paymentId);
    if (row !== undefined) this.#recent.set(paymentId, row.number);
    return row?.number;
  }

  head(number: bigint): PaymentHead {
    const head = this.#sql.head.get(number);
    if (head === undefined) throw new StoreError('corrupt', 'a payment that was found is gone');
    return head;
  }

  row(number: bigint): PaymentRow {
    const row = this.rowOrNone(number);
    if (row === undefined) throw new StoreError('corrupt', 'a payment has no content');
    return row;
  }

  rowOrNone(number: bigint): PaymentRow | undefined {
    const row = this.#sql.whole.get(number);
    return row && paymentRow(row);
  }

  /** The stored payment itself. */
  content(number: bigint): Uint8Array {
    const row = this.#sql.content.get(number);
    if (row === undefined) throw new StoreError('corrupt', 'a payment has no content');
    return bytesOf(row.payment);
  }

  bill(number: bigint): readonly FeeLine[] {
    const row = this.#sql.bill.get(number);
    if (row === undefined) throw new StoreError('corrupt', 'a payment has no bill');
    return decodeBill(row.bill);
  }

  byCoin(issuer: StationName, coinId: Uint8Array): Uint8Array | undefined {
    const row = this.#sql.byCoin.get(issuer, coinId);
    return row && bytesOf(row.payment_id);
  }

  insert(
    payment: NewPayment,
    state: PaymentState,
    hashes: { readonly certificate: Uint8Array; readonly content: Uint8Array },
    outboxRow: bigint | undefined,
  ): bigint {
    const bucket = bucketOf(payment.deliveryDeadline);
    if (!this.#buckets.has(bucket)) {
      this.#sql.insertBucket.run(bucket);
      this.#buckets.add(bucket);
    }
    const { lastInsertRowid } = this.#sql.insert.run({
      bucket,
      paymentId: payment.paymentId,
      role: payment.role,
      state,
      change: this.#nextChange(),
      payer: payment.payer,
      payee: payment.payee,
      issuer: payment.issuer,
      coinId: payment.coinId,
      value: payment.value,
      fee: payment.fee,
      quoteDigest: payment.quoteDigest,
      previous: payment.previous ?? null,
      next: payment.next ?? null,
      deliveryDeadline: payment.deliveryDeadline,
      resolutionDeadline: payment.resolutionDeadline,
      storedMs: payment.storedMs,
      decidedMs: state === 'refused' ? payment.storedMs : null,
      outboxRow: outboxRow ?? null,
      contentHash: hashes.content,
    });
    const number = BigInt(lastInsertRowid);
    this.#sql.insertBody.run(
      number,
      payment.payment,
      payment.admission ?? null,
      hashes.certificate,
      encodeBill(payment.bill),
    );
    this.#recent.set(payment.paymentId, number);
    return number;
  }

  /** The neighbour holds it: admitted → relayed, held → forwarded. */
  confirm(number: bigint, rowId: bigint): void {
    this.#sql.confirm.run(this.#nextChange(), number, rowId);
  }

  conclude(
    number: bigint,
    verdict: 'delivered' | 'undelivered',
    receipt: Uint8Array,
    unclaimed: boolean,
    nowMs: number,
  ): void {
    this.#sql.conclude.run(verdict, this.#nextChange(), nowMs, unclaimed ? 1 : 0, number);
    this.#sql.insertVerdict.run(number, receipt, null);
  }

  putRefusal(number: bigint, refusal: Uint8Array): void {
    this.#sql.insertVerdict.run(number, null, refusal);
  }

  tellAgain(number: bigint): void {
    this.#sql.tellAgain.run(this.#nextChange(), number);
  }

  get lastChange(): bigint {
    return this.#change ?? this.#sql.change.get()?.value ?? 0n;
  }

  #nextChange(): bigint {
    this.#change = this.lastChange + 1n;
    return this.#change;
  }
}

export function paymentRow(row: StoredPayment): PaymentRow {
  return {
    paymentId: bytesOf(row.payment_id),
    role: row.role,
    state: row.state,
    payment: bytesOf(row.payment),
    ...present('admission', bytesOrNone(row.admission)),
    ...present('receipt', bytesOrNone(row.receipt)),
    ...present('refusal', bytesOrNone(row.refusal)),
    payer: row.payer,
    payee: row.payee,
    issuer: row.issuer,
    coinId: bytesOf(row.coin_id),
    value: row.value,
    fee: row.fee,
    quoteDigest: bytesOf(row.quote_digest),
    ...present('previous', row.previous),
    ...present('next', row.next),
    deliveryDeadline: row.delivery_deadline,
    resolutionDeadline: row.resolution_deadline,
    storedMs: Number(row.stored_ms),
    ...present('decidedMs', row.decided_ms === null ? undefined : Number(row.decided_ms)),
    cardConcluded: row.card_concluded === 1n,
  };
}

/** All of a payment, by whatever condition follows. */
export const wholePayment = `SELECT p.*, b.payment, b.admission, v.receipt, v.refusal
  FROM payment p JOIN payment_body b ON b.number = p.number
  LEFT JOIN payment_verdict v ON v.number = p.number`;

/** `q1=5 q2=7`: no name holds a space or an equals sign. */
function encodeBill(bill: readonly FeeLine[]): string {
  return bill.map(({ station, fee }) => `${station}=${fee}`).join(' ');
}

/** Throws where it is no bill. */
export function decodeBill(text: string): readonly FeeLine[] {
  return text.split(' ').map((line) => {
    const [station, fee] = line.split('=');
    if (station === undefined || fee === undefined) {
      throw new StoreError('corrupt', 'a stored bill is no bill');
    }
    return { station: toStationName(station), fee: BigInt(fee) };
  });
}

interface Found {
  readonly number: bigint;
}

interface PaymentValues {
  readonly bucket: bigint;
  readonly paymentId: Uint8Array;
  readonly role: string;
  readonly state: string;
  readonly change: bigint;
  readonly payer: string;
  readonly payee: string;
  readonly issuer: string;
  readonly coinId: Uint8Array;
  readonly value: bigint;
  readonly fee: bigint;
  readonly quoteDigest: Uint8Array;
  readonly previous: string | null;
  readonly next: string | null;
  readonly deliveryDeadline: bigint;
  readonly resolutionDeadline: bigint;
  readonly storedMs: number;
  readonly decidedMs: number | null;
  readonly outboxRow: bigint | null;
  readonly contentHash: Uint8Array;
}

function preparePayments(database: SqliteDatabase) {
  return {
    byBucket: database.prepare<[bigint, Uint8Array], Found>(
      'SELECT number FROM payment WHERE bucket = ? AND payment_id = ?',
    ),
    byId: database.prepare<[Uint8Array], Found>(
      `SELECT p.number FROM payment_bucket b CROSS JOIN payment p ON p.bucket = b.bucket
       WHERE p.payment_id = ? ORDER BY b.bucket DESC LIMIT 1`,
    ),
    byCoin: database.prepare<[string, Uint8Array], { readonly payment_id: Uint8Array }>(
      "SELECT payment_id FROM payment WHERE issuer = ? AND coin_id = ? AND role <> 'issuer'",
    ),
    head: database.prepare<[bigint], PaymentHead>(
      `SELECT number, payment_id, role, state, issuer, coin_id, value, fee, outbox_row,
         content_hash
       FROM payment WHERE number = ?`,
    ),
    whole: database.prepare<[bigint], StoredPayment>(`${wholePayment} WHERE p.number = ?`),
    bill: database.prepare<[bigint], { readonly bill: string }>(
      'SELECT bill FROM payment_body WHERE number = ?',
    ),
    content: database.prepare<[bigint], { readonly payment: Uint8Array }>(
      'SELECT payment FROM payment_body WHERE number = ?',
    ),
    insertBucket: database.prepare<[bigint]>(
      'INSERT INTO payment_bucket (bucket) VALUES (?) ON CONFLICT DO NOTHING',
    ),
    insert: database.prepare<[PaymentValues]>(
      `INSERT INTO payment (bucket, payment_id, role, state, change, payer, payee, issuer, coin_id,
         value, fee, quote_digest, previous, next, delivery_deadline, resolution_deadline,
         stored_ms, decided_ms, outbox_row, content_hash)
       VALUES (@bucket, @paymentId, @role, @state, @change, @payer, @payee, @issuer, @coinId,
         @value, @fee, @quoteDigest, @previous, @next, @deliveryDeadline, @resolutionDeadline,
         @storedMs, @decidedMs, @outboxRow, @contentHash)`,
    ),
    insertBody: database.prepare<
      [bigint, Uint8Array, Uint8Array | null, Uint8Array, string]
    >(`INSERT INTO payment_body (number, payment, admission, certificate_hash, bill)
       VALUES (?, ?, ?, ?, ?)`),
    confirm: database.prepare<[bigint, bigint, bigint]>(
      `UPDATE payment SET change = ?, outbox_row = NULL,
         state = CASE state
           WHEN 'admitted' THEN 'relayed' WHEN 'held' THEN 'forwarded' ELSE state END
       WHERE number = ? AND outbox_row = ?`,
    ),
    conclude: database.prepare<[string, bigint, number, number, bigint]>(
      `UPDATE payment SET state = ?, change = ?, decided_ms = ?, unclaimed = ?, outbox_row = NULL
       WHERE number = ?`,
    ),
    tellAgain: database.prepare<[bigint, bigint]>('UPDATE payment SET change = ? WHERE number = ?'),
    insertVerdict: database.prepare<[bigint, Uint8Array | null, Uint8Array | null]>(
      'INSERT INTO payment_verdict (number, receipt, refusal) VALUES (?, ?, ?)',
    ),
    change: database.prepare<[], { readonly value: bigint }>(
      "SELECT value FROM counter WHERE name = 'payment-change'",
    ),
    putChange: database.prepare<[bigint]>(
      `INSERT INTO counter (name, value) VALUES ('payment-change', ?)
       ON CONFLICT (name) DO UPDATE SET value = excluded.value`,
    ),
  };
}
