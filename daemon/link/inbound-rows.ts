/**
 * Rows on their way in: their keys are claimed, a frame's at once, their covers taken off, and the
 * relay gets them in the order in which they were sent. What needs no key never waits for what
 * does: words under `otp-secret` come before payments whose keys the device does not give (I33).
 */
import { wipe } from '../../applet-spec/bytes.ts';
import type { Suite } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { KeyClaim, TakenBits } from '../qkd/reservoir.ts';
import { wireMessage } from '../wire/wire-message.ts';
import { LinkError } from './link-error.ts';
import { linkLimits } from './link-limits.ts';
import { linkRecord, type LinkRecord } from './link-record.ts';
import type { FailedRow, InboundRecord } from './links.ts';
import { claimPatiently, type ClaimContext, type Unfetchable } from './patient-claim.ts';
import { claimsOf, coverName, openRecord } from './record-cover.ts';
import type { RowMemory } from './row-memory.ts';

export interface ArrivedRow {
  readonly rowId: bigint;
  readonly record: Uint8Array;
}

export interface InboundContext extends ClaimContext {
  readonly primitives: Primitives;
  readonly suite: Suite;
  readonly memory: RowMemory;
  readonly received: (records: readonly InboundRecord[]) => void;
  /** Repetitions of rows that are durable here. */
  readonly confirmAgain: (rowIds: readonly bigint[]) => void;
  readonly unreadable: (why: Unfetchable, rowIds: readonly bigint[]) => void;
  readonly notUnderstood: (rows: readonly FailedRow[]) => void;
  readonly fault: (error: unknown) => void;
}

interface Row {
  readonly rowId: bigint;
  /** As it came: a view on its frame. */
  readonly bytes: Uint8Array;
  readonly record: LinkRecord;
  readonly coverName: string | undefined;
  readonly claims: readonly KeyClaim[];
}

interface Opened {
  readonly row: Row;
  readonly bits: readonly TakenBits[] | Unfetchable;
}

export class InboundRows {
  readonly #context: InboundContext;
  #opening = 0;
  #openingBytes = 0;
  #delivered: Promise<void> = Promise.resolve();

  constructor(context: InboundContext) {
    this.#context = context;
  }

  /** Rows of one frame. Throws LinkError where the peer breaks the rules of the link. */
  take(arrived: readonly ArrivedRow[]): void {
    const fresh = this.#newRows(this.#decoded(arrived));
    const isBare = ({ claims }: Row): boolean => claims.length === 0;
    const bare = fresh.filter(isBare);
    if (bare.length > 0) this.#deliver(bare.map((row) => ({ row, bits: [] })));
    const rows = fresh.filter((row) => !isBare(row));
    if (rows.length > 0) this.#open(rows, bytesOf(arrived));
  }

  /** `bytes`: of their frame, on which each row is a view. */
  #open(rows: readonly Row[], bytes: number): void {
    this.#opening += rows.length;
    this.#openingBytes += bytes;
    const { openingRows, openingBytes } = linkLimits;
    if (this.#opening > openingRows || this.#openingBytes > openingBytes) {
      throw new LinkError('peer-out-of-bounds', 'more rows at once than the link carries');
    }
    const opened = Promise.all(batchesOf(rows).map((batch) => this.#claim(batch)));
    // Its failure is dealt with in its turn.
    opened.catch(() => undefined);
    this.#delivered = this.#delivered
      .then(async () => {
        this.#deliver((await opened).flat());
      })
      .catch(this.#context.fault)
      .finally(() => {
        this.#opening -= rows.length;
        this.#openingBytes -= bytes;
      });
  }

  /** Resolves once nothing is under way. */
  async idle(): Promise<void> {
    await this.#delivered;
  }

  /** Without those that nobody writes: each is its sender's own fault, and ends no link (46). */
  #decoded(arrived: readonly ArrivedRow[]): Row[] {
    const malformed: FailedRow[] = [];
    const rows: Row[] = [];
    for (const row of arrived) {
      try {
        rows.push(this.#decode(row));
      } catch (error) {
        if (!isMalformed(error)) throw error;
        malformed.push(failedRecord(row.rowId, row.record, error));
      }
    }
    if (malformed.length > 0) this.#context.notUnderstood(malformed);
    return rows;
  }

  #decode({ rowId, record: bytes }: ArrivedRow): Row {
    let record: LinkRecord;
    try {
      record = linkRecord.decode(bytes);
    } catch (cause) {
      throw new LinkError('record-malformed', 'a record that nobody writes', { cause });
    }
    if (record.kind !== this.#context.suite) {
      throw new LinkError('other-suite', `a record of ${record.kind} on this link`);
    }
    return { rowId, bytes, record, coverName: coverName(record), claims: claimsOf(record) ?? [] };
  }

  /** Without the repetitions of rows that were opened on an earlier connection. */
  #newRows(rows: readonly Row[]): Row[] {
    const { memory, confirmAgain, unreadable } = this.#context;
    const again: bigint[] = [];
    const used: bigint[] = [];
    const fresh = rows.filter((row) => {
      const seen = row.coverName === undefined ? undefined : memory.seen(row.rowId, row.coverName);
      if (seen === 'confirmed') again.push(row.rowId);
      else if (seen === 'opened') used.push(row.rowId);
      return seen === undefined;
    });
    if (again.length > 0) confirmAgain(again);
    if (used.length > 0) unreadable('used', used);
    return fresh;
  }

  /**
   * All rows at once; each alone where they cannot be fetched so, for one ID that the device does
   * not know spoils a request. A key that was used before spoils its own row only.
   */
  async #claim(rows: readonly Row[]): Promise<Opened[]> {
    const taken = await claimPatiently(
      this.#context,
      rows.map((row) => row.claims),
    );
    if (typeof taken !== 'string') return rows.map((row, i) => ({ row, bits: taken[i] ?? [] }));
    const [only, ...more] = rows;
    if (only !== undefined && more.length === 0) return [{ row: only, bits: taken }];
    return (await Promise.all(rows.map((row) => this.#claim([row])))).flat();
  }

  #deliver(opened: readonly Opened[]): void {
    const { memory, received, unreadable, notUnderstood, signal } = this.#context;
    if (signal.aborted) return;
    const readable: InboundRecord[] = [];
    const lost: Record<Unfetchable, bigint[]> = { used: [], missing: [] };
    const failed: FailedRow[] = [];
    let forged: LinkError | undefined;
    for (const { row, bits } of opened) {
      if (typeof bits === 'string') {
        lost[bits].push(row.rowId);
        continue;
      }
      if (row.coverName !== undefined) memory.opened(row.rowId, row.coverName);
      try {
        const opened = this.#uncover(row, bits);
        if ('cause' in opened) failed.push(opened);
        else readable.push(opened);
      } catch (error) {
        if (error instanceof LinkError && !isMalformed(error)) forged = error;
        else failed.push(failedRecord(row.rowId, row.bytes, error));
      }
    }
    for (const why of ['used', 'missing'] as const) {
      if (lost[why].length > 0) unreadable(why, lost[why]);
    }
    if (failed.length > 0) notUnderstood(failed);
    if (readable.length > 0) received(readable);
    if (forged !== undefined) throw forged;
  }

  #uncover({ rowId, record }: Row, bits: readonly TakenBits[]): InboundRecord | FailedRow {
    const { message, secret } = openRecord(this.#context.primitives, record, bits);
    try {
      const decoded = wireMessage.decode(message);
      return { rowId, message: decoded, ...(secret !== undefined && { secret }) };
    } catch (cause) {
      // Nobody knows what it is the secret of.
      if (secret !== undefined) wipe(secret);
      return { rowId, form: 'message', bytes: message.slice(), cause };
    }
  }
}

function isMalformed(error: unknown): boolean {
  return error instanceof LinkError && error.code === 'record-malformed';
}

function failedRecord(rowId: bigint, bytes: Uint8Array, cause: unknown): FailedRow {
  return { rowId, form: 'record', bytes: bytes.slice(), cause };
}

function bytesOf(arrived: readonly ArrivedRow[]): number {
  return arrived.reduce((sum, { record }) => sum + record.length, 0);
}

/** As many rows at a time as one claim may name keys for. */
function batchesOf(rows: readonly Row[]): Row[][] {
  const batches: Row[][] = [];
  let keyIds = Number.POSITIVE_INFINITY;
  for (const row of rows) {
    const more = row.claims.reduce((count, claim) => count + claim.keyIds.length, 0);
    if (keyIds + more > linkLimits.claimKeyIds) {
      batches.push([]);
      keyIds = 0;
    }
    keyIds += more;
    batches.at(-1)?.push(row);
  }
  return batches;
}
