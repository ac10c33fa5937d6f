import { uintToBytes } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { SqliteDatabase } from './database.ts';
import type { FailedAttempt, QuarantineForm, QuarantineStore } from './quarantine-store.ts';
import { bytesOf, present } from './row-values.ts';
import type { SealedPlace } from './sealing.ts';
import { StoreError } from './store-error.ts';
import type { StoreParts } from './store-parts.ts';

/** Of one neighbour: nobody fills a disk with what nobody can read. */
const quarantinedMost = 256n;
/** As many as a neighbour's outbox has on their way at once. */
const countedMost = 1_024n;
/** A row that has not failed again for so long was handled, or is gone from its outbox. */
const countedMs = 31 * 86_400_000;
const whyMost = 300;

export class QuarantineRows implements QuarantineStore {
  readonly #parts: StoreParts;
  readonly #sql: ReturnType<typeof prepareQuarantine>;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.#sql = prepareQuarantine(parts.database);
  }

  readonly countAttempt: QuarantineStore['countAttempt'] = (attempt, most) =>
    this.#parts.database.write(() => this.#count(attempt, most));

  readonly forgetAttempts: QuarantineStore['forgetAttempts'] = (peer, rowId) =>
    this.#parts.database.write(() => {
      this.#sql.forgetRow.run(peer, uintToBytes(rowId, 8));
    });

  readonly countStart: QuarantineStore['countStart'] = () =>
    this.#parts.database.write(() => Number(this.#sql.countStart.get()?.value ?? 1n));

  readonly forgetStarts: QuarantineStore['forgetStarts'] = () =>
    this.#parts.database.write(() => {
      this.#sql.forgetStarts.run();
    });

  readonly quarantineCounts: QuarantineStore['quarantineCounts'] = () =>
    this.#parts.database.read(() =>
      this.#sql.counts.all().map(({ peer, counted, quarantined }) => ({
        peer,
        counted: Number(counted),
        quarantined: Number(quarantined),
      })),
    );

  readonly quarantined: QuarantineStore['quarantined'] = (after, limit) =>
    this.#parts.database.read(() =>
      this.#sql.page.all(after, limit).map(({ row_id, digest, sealed, ...row }) => ({
        number: row.number,
        peer: row.peer,
        rowId: new DataView(Uint8Array.from(row_id).buffer).getBigUint64(0),
        form: row.form,
        attempts: Number(row.attempts),
        firstMs: Number(row.first_ms),
        lastMs: Number(row.last_ms),
        why: row.why,
        ...present('bytes', this.#opened(row.peer, digest, sealed)),
      })),
    );

  readonly dropQuarantined: QuarantineStore['dropQuarantined'] = (number) =>
    this.#parts.database.write(() => this.#sql.drop.run(number).changes === 1);

  /** One that was damaged keeps none of the others from being read. */
  #opened(peer: string, digest: Uint8Array, sealed: Uint8Array): Uint8Array | undefined {
    try {
      return this.#parts.sealer.open(placeOf(peer, digest), bytesOf(sealed));
    } catch (error) {
      if (error instanceof StoreError && error.code === 'corrupt') return undefined;
      throw error;
    }
  }

  #count(attempt: FailedAttempt, most: number): 'counted' | 'quarantined' | 'full' {
    const { peer, form, bytes, nowMs } = attempt;
    const { primitives, sealer } = this.#parts;
    const rowId = uintToBytes(attempt.rowId, 8);
    const why = attempt.why.slice(0, whyMost);
    const digest = primitives.sha256(bytes);
    if (this.#sql.kept.get(peer, rowId, digest) !== undefined) return 'quarantined';
    this.#sql.forget.run(nowMs - countedMs);
    const before = this.#sql.counting.get(peer, rowId);
    const { counted = 0n, quarantined = 0n } = this.#sql.countsOf.get(peer) ?? {};
    if (before === undefined && counted >= countedMost) return 'full';
    const number =
      before?.number ??
      BigInt(this.#sql.insert.run(peer, rowId, form, nowMs, nowMs, why).lastInsertRowid);
    if (before !== undefined) this.#sql.again.run(form, nowMs, why, number);
    if ((before?.attempts ?? 0n) + 1n < BigInt(most)) return 'counted';
    if (quarantined >= quarantinedMost) return 'full';
    this.#sql.keep.run(digest, sealer.seal(placeOf(peer, digest), bytes), number);
    return 'quarantined';
  }
}

function placeOf(peer: string, digest: Uint8Array): SealedPlace {
  const row = bytesOf(digest);
  return { table: 'quarantine', row, version: 1, state: `quarantined from ${peer}` };
}

interface StoredRow {
  readonly number: bigint;
  readonly peer: StationName;
  readonly row_id: Uint8Array;
  readonly form: QuarantineForm;
  readonly attempts: bigint;
  readonly first_ms: bigint;
  readonly last_ms: bigint;
  readonly why: string;
  readonly digest: Uint8Array;
  readonly sealed: Uint8Array;
}

interface Counts {
  readonly counted: bigint;
  readonly quarantined: bigint;
}

function prepareQuarantine(database: SqliteDatabase) {
  const counts = `count(*) FILTER (WHERE sealed IS NULL) AS counted,
    count(*) FILTER (WHERE sealed IS NOT NULL) AS quarantined FROM quarantine`;
  return {
    kept: database.prepare<[string, Uint8Array, Uint8Array], { readonly number: bigint }>(
      `SELECT number FROM quarantine
       WHERE peer = ? AND row_id = ? AND digest = ? AND sealed IS NOT NULL`,
    ),
    counting: database.prepare<[string, Uint8Array], Pick<StoredRow, 'number' | 'attempts'>>(
      `SELECT number, attempts FROM quarantine
       WHERE peer = ? AND row_id = ? AND sealed IS NULL`,
    ),
    insert: database.prepare<[string, Uint8Array, string, number, number, string]>(
      `INSERT INTO quarantine (peer, row_id, form, attempts, first_ms, last_ms, why)
       VALUES (?, ?, ?, 1, ?, ?, ?)`,
    ),
    again: database.prepare<[string, number, string, bigint]>(
      `UPDATE quarantine SET attempts = attempts + 1, form = ?, last_ms = ?, why = ?
       WHERE number = ?`,
    ),
    keep: database.prepare<[Uint8Array, Uint8Array, bigint]>(
      'UPDATE quarantine SET digest = ?, sealed = ? WHERE number = ?',
    ),
    forget: database.prepare<[number]>(
      'DELETE FROM quarantine WHERE sealed IS NULL AND last_ms < ?',
    ),
    forgetRow: database.prepare<[string, Uint8Array]>(
      'DELETE FROM quarantine WHERE peer = ? AND row_id = ? AND sealed IS NULL',
    ),
    countStart: database.prepare<[], { readonly value: bigint }>(
      `INSERT INTO counter (name, value) VALUES ('starts', 1)
       ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value`,
    ),
    forgetStarts: database.prepare<[]>("DELETE FROM counter WHERE name = 'starts'"),
    countsOf: database.prepare<[string], Counts>(`SELECT ${counts} WHERE peer = ?`),
    counts: database.prepare<[], Counts & { readonly peer: StationName }>(
      `SELECT peer, ${counts} GROUP BY peer ORDER BY peer`,
    ),
    page: database.prepare<[bigint, number], StoredRow>(
      `SELECT * FROM quarantine WHERE sealed IS NOT NULL AND number > ? ORDER BY number LIMIT ?`,
    ),
    drop: database.prepare<[bigint]>(
      'DELETE FROM quarantine WHERE number = ? AND sealed IS NOT NULL',
    ),
  };
}
