/**
 * Rows on their way out: kept until the peer has confirmed them, and covered anew with fresh keys
 * where the peer cannot read them (`link-record.ts` says why that is sound).
 */
import { wipe } from '../../applet-spec/bytes.ts';
import type { Suite } from '../../applet-spec/names.ts';
import type { Reservoir } from '../qkd/reservoir.ts';
import { LinkError } from './link-error.ts';
import { linkLimits } from './link-limits.ts';
import { decodeStored, type StoredRecord } from './link-record.ts';
import type { OutboxRecord, Unprotected } from './links.ts';
import type { Unfetchable } from './patient-claim.ts';
import { plainOfStored } from './record-cover.ts';
import type { SendQueue } from './send-queue.ts';

interface SentRow {
  stored: StoredRecord;
  /**
   * Its keys were drawn by this program and never named before: the peer must be able to fetch
   * them.
   */
  fresh: boolean;
  anew: number;
  /** Being covered anew: what it kept is wiped then, and nobody else may count on it. */
  covering: boolean;
}

export interface OutgoingContext {
  readonly suite: Suite;
  readonly queue: SendQueue;
  readonly reservoir: Pick<Reservoir, 'reportMissed' | 'reportFetched'>;
  readonly protect: (items: readonly Unprotected[]) => Promise<readonly StoredRecord[]>;
  /** What `record` holds, where this program made it and it goes out for the first time. */
  readonly unsent: (record: Uint8Array) => StoredRecord | undefined;
  readonly flush: () => void;
  readonly fault: (error: unknown) => void;
}

export class OutgoingRows {
  readonly #context: OutgoingContext;
  readonly #sent = new Map<bigint, SentRow>();

  constructor(context: OutgoingContext) {
    this.#context = context;
  }

  /** False where they are too many. Throws TlvError for what `protect` did not make. */
  send(records: readonly OutboxRecord[]): boolean {
    const { queue, suite, unsent, flush } = this.#context;
    const bytes = records.reduce((sum, { record }) => sum + record.length, 0);
    const unconfirmed = this.#sent.size + records.length;
    if (!queue.hasRoom(records.length, bytes)) return false;
    if (this.#sent.size > 0 && unconfirmed > linkLimits.unconfirmedRows) return false;
    const ofOtherSuite: bigint[] = [];
    for (const { rowId, record } of records) {
      const made = unsent(record);
      const stored = made ?? decodeStored(record);
      const row = { stored, fresh: made !== undefined, anew: 0, covering: false };
      this.#sent.set(rowId, row);
      // Configured differently when it was made, or a word without keys until now (`Links.keep`):
      // it goes under the present suite, or not at all.
      if (row.stored.suite === suite) this.#queue(rowId, row);
      else ofOtherSuite.push(rowId);
    }
    if (ofOtherSuite.length > 0) this.#coverAnew(ofOtherSuite);
    flush();
    return true;
  }

  confirmed(rowIds: readonly bigint[]): void {
    let fetched = false;
    for (const rowId of rowIds) {
      const row = this.#sent.get(rowId);
      if (row === undefined) continue;
      fetched ||= row.fresh && row.stored.kept !== undefined;
      forget(row);
      this.#sent.delete(rowId);
    }
    if (fetched) this.#context.reservoir.reportFetched();
  }

  /** Throws LinkError where the peer keeps saying so. */
  unreadable(why: Unfetchable, rowIds: readonly bigint[]): void {
    const known = rowIds.filter((rowId) => this.#sent.has(rowId));
    let missed = false;
    for (const rowId of known) {
      const row = this.#sent.get(rowId);
      if (row === undefined) continue;
      missed ||= why === 'missing' && row.fresh;
      row.anew++;
      if (row.anew > linkLimits.protectionsAnew) {
        throw new LinkError('key-not-usable', 'the peer cannot fetch the keys of our records');
      }
    }
    if (missed) this.#context.reservoir.reportMissed();
    if (known.length > 0) this.#coverAnew(known);
  }

  /** The connection is over: the outbox has them all. */
  clear(): void {
    for (const row of this.#sent.values()) forget(row);
    this.#sent.clear();
  }

  /** Each for itself: where keys are scarce the first goes as soon as there are enough for it. */
  #coverAnew(rowIds: readonly bigint[]): void {
    for (const rowId of rowIds) this.#protectAgain(rowId).catch(this.#context.fault);
  }

  async #protectAgain(rowId: bigint): Promise<void> {
    const row = this.#sent.get(rowId);
    if (row === undefined || row.covering) return;
    row.covering = true;
    const [record] = await this.#context.protect([plainOfStored(row.stored)]);
    // Confirmed in the meantime, or the connection is over.
    if (record === undefined || this.#sent.get(rowId) !== row) return;
    forget(row);
    row.stored = record;
    row.fresh = true;
    row.covering = false;
    this.#queue(rowId, row);
    this.#context.flush();
  }

  #queue(rowId: bigint, { stored }: SentRow): void {
    this.#context.queue.addRow(stored.carries, rowId, stored.wire);
  }
}

function forget({ stored }: SentRow): void {
  if (stored.kept?.secret !== undefined) wipe(stored.kept.secret);
}
