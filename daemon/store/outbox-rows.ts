import type { StationName } from '../../applet-spec/names.ts';
import type { SqliteDatabase } from './database.ts';
import type { PaymentRows } from './payment-rows.ts';
import { bytesOf } from './row-values.ts';
import type { SealedPlace } from './sealing.ts';
import { StoreError } from './store-error.ts';
import type { StoreParts } from './store-parts.ts';
import type { NewOutboxRow, OutboxRow, PaymentStore } from './store.ts';

const ranks = { word: 0n, payment: 1n } as const;
/**
 * Of one payment: nobody fills a disk with words about it, and a few prove as much as many. Advice
 * leaves room for what proves more.
 */
const evidenceMost = 16n;
const adviceMost = 8n;

/** What neighbours have not confirmed yet (I30), sealed, and evidence about payments. */
export class OutboxRows implements Pick<
  PaymentStore,
  'outbox' | 'enqueue' | 'confirmOutbox' | 'putAdvice' | 'evidence' | 'putEvidence'
> {
  readonly #parts: StoreParts;
  readonly #payments: PaymentRows;
  readonly #sql: ReturnType<typeof prepareOutbox>;

  constructor(parts: StoreParts, payments: PaymentRows) {
    this.#parts = parts;
    this.#payments = payments;
    this.#sql = prepareOutbox(parts.database);
  }

  readonly outbox: PaymentStore['outbox'] = (peer, limit, after) =>
    this.#parts.database.read(() => {
      const rank = after === undefined ? 0n : ranks[after.carries];
      const rows = this.#sql.page.all(peer, rank, after?.rowId ?? 0n, limit);
      return rows.map((row) => this.#record(peer, row));
    });

  readonly enqueue: PaymentStore['enqueue'] = (rows) =>
    this.#parts.database.write(() => rows.map((row) => this.insert('word', row)));

  readonly confirmOutbox: PaymentStore['confirmOutbox'] = (peer, rowIds) =>
    this.#parts.database.write(() => {
      for (const rowId of rowIds) {
        const row = this.#sql.one.get(rowId, peer);
        if (row === undefined) continue;
        this.delete(rowId);
        if (row.rank !== ranks.payment) continue;
        const number = this.#payments.find(bytesOf(row.payment_id));
        if (number !== undefined) this.#payments.confirm(number, rowId);
      }
    });

  readonly putAdvice: PaymentStore['putAdvice'] = (advice) =>
    this.#parts.database.write(() =>
      advice.map(({ paymentId, refusal, outbox }) => {
        const isNew = this.#putEvidence(paymentId, refusal, adviceMost);
        return isNew && outbox ? this.insert('word', { paymentId, ...outbox }) : undefined;
      }),
    );

  readonly putEvidence: PaymentStore['putEvidence'] = (items) =>
    this.#parts.database.write(() => {
      for (const { paymentId, bytes } of items) {
        this.#putEvidence(paymentId, bytes, evidenceMost);
      }
    });

  readonly evidence: PaymentStore['evidence'] = (paymentId) =>
    this.#parts.database.read(() =>
      this.#sql.evidence.all(paymentId).map(({ bytes }) => bytesOf(bytes)),
    );

  /** Inside a transaction. */
  insert(carries: OutboxRow['carries'], { peer, paymentId, record }: NewOutboxRow): bigint {
    const sealed = this.#parts.sealer.seal(placeOf(peer, carries, paymentId), record);
    return BigInt(this.#sql.insert.run(peer, ranks[carries], paymentId, sealed).lastInsertRowid);
  }

  delete(rowId: bigint): void {
    this.#sql.delete.run(rowId);
  }

  #putEvidence(paymentId: Uint8Array, bytes: Uint8Array, most: bigint): boolean {
    const kept = this.#sql.countEvidence.get(paymentId)?.kept ?? 0n;
    if (kept >= most) return false;
    const digest = this.#parts.primitives.sha256(bytes);
    return this.#sql.insertEvidence.run(paymentId, digest, bytes).changes === 1;
  }

  #record(peer: StationName, row: StoredRow): OutboxRow {
    const carries = row.rank === ranks.word ? 'word' : 'payment';
    const paymentId = bytesOf(row.payment_id);
    const head = { rowId: row.row_id, peer, carries, paymentId } as const;
    try {
      const record = this.#parts.sealer.open(placeOf(peer, carries, paymentId), row.sealed);
      return { ...head, record };
    } catch (error) {
      // One that was damaged holds up no other.
      if (error instanceof StoreError && error.code === 'corrupt') return head;
      throw error;
    }
  }
}

function placeOf(peer: string, carries: string, paymentId: Uint8Array): SealedPlace {
  return {
    table: 'outbox',
    row: paymentId,
    version: 1,
    state: `${carries} unconfirmed by ${peer}`,
  };
}

interface StoredRow {
  readonly row_id: bigint;
  readonly rank: bigint;
  readonly payment_id: Uint8Array;
  readonly sealed: Uint8Array;
}

function prepareOutbox(database: SqliteDatabase) {
  return {
    insert: database.prepare<[string, bigint, Uint8Array, Uint8Array]>(
      'INSERT INTO outbox (peer, rank, payment_id, sealed) VALUES (?, ?, ?, ?)',
    ),
    page: database.prepare<[string, bigint, bigint, number], StoredRow>(
      `SELECT row_id, rank, payment_id, sealed FROM outbox
       WHERE peer = ? AND (rank, row_id) > (?, ?) ORDER BY rank, row_id LIMIT ?`,
    ),
    one: database.prepare<
      [bigint, string],
      { readonly rank: bigint; readonly payment_id: Uint8Array }
    >('SELECT rank, payment_id FROM outbox WHERE row_id = ? AND peer = ?'),
    delete: database.prepare<[bigint]>('DELETE FROM outbox WHERE row_id = ?'),
    insertEvidence: database.prepare<[Uint8Array, Uint8Array, Uint8Array]>(
      `INSERT INTO evidence (payment_id, digest, bytes) VALUES (?, ?, ?)
       ON CONFLICT (payment_id, digest) DO NOTHING`,
    ),
    countEvidence: database.prepare<[Uint8Array], { readonly kept: bigint }>(
      'SELECT count(*) AS kept FROM evidence WHERE payment_id = ?',
    ),
    evidence: database.prepare<[Uint8Array], { readonly bytes: Uint8Array }>(
      'SELECT bytes FROM evidence WHERE payment_id = ? ORDER BY number',
    ),
  };
}
