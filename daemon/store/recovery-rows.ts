import type { StationName, UserName } from '../../applet-spec/names.ts';
import type { SqliteDatabase } from './database.ts';
import { paymentRow, wholePayment, type StoredPayment } from './payment-rows.ts';
import type {
  RecoveryPeer,
  RecoveryRow,
  RecoveryStore,
  StoredDeclaration,
} from './recovery-store.ts';
import { bytesOf, bytesOrNone, present } from './row-values.ts';
import { StoreError } from './store-error.ts';
import type { StoreParts } from './store-parts.ts';

/** A neighbour that asks makes us read no more rows than these for one answer. */
const scannedMost = 5_000n;
/** Nobody fills a disk with declarations that contradict each other. */
const declarationsMost = 64n;

/** How far a recovery has come, declarations of lost leaves, and what neighbours ask for theirs. */
export class RecoveryRows implements Omit<RecoveryStore, 'restore'> {
  readonly #parts: StoreParts;
  readonly #sql: ReturnType<typeof prepareRecovery>;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.#sql = prepareRecovery(parts.database);
  }

  readonly recovery: RecoveryStore['recovery'] = () =>
    this.#parts.database.read((): RecoveryRow | undefined => {
      const row = this.#sql.last.get();
      if (row === undefined) return undefined;
      return {
        state: row.state,
        kept: { size: row.kept_size, root: bytesOf(row.kept_root) },
        sinceSeconds: row.since,
        begunMs: Number(row.begun_ms),
        ...present('doneMs', row.done_ms === null ? undefined : Number(row.done_ms)),
        peers: this.#sql.peers.all(row.number).map(recoveryPeer),
      };
    });

  readonly beginRecovery: RecoveryStore['beginRecovery'] = ({ kept, sinceSeconds, peers, nowMs }) =>
    this.#parts.database.write(() => {
      if (this.#sql.last.get()?.state === 'rebuilding') return 'exists';
      const begun = this.#sql.begin.run(kept.size, kept.root, sinceSeconds, nowMs);
      const number = BigInt(begun.lastInsertRowid);
      for (const peer of peers) this.#sql.addPeer.run(number, peer);
      return 'begun';
    });

  readonly leaveOut: RecoveryStore['leaveOut'] = (peer) =>
    this.#parts.database.write(() => {
      this.#sql.leaveOut.run(this.#openNumber(), peer);
    });

  readonly takePage: RecoveryStore['takePage'] = ({ peer, cursor, isLast, counts, trouble }) =>
    this.#parts.database.write(() => {
      this.#sql.take.run({
        ...counts,
        recovery: this.#openNumber(),
        peer,
        cursor,
        state: isLast ? 'answered' : 'asking',
        trouble: trouble ?? null,
      });
    });

  readonly finishRecovery: RecoveryStore['finishRecovery'] = ({ declaration, nowMs }) =>
    this.#parts.database.write(() => {
      this.#sql.finish.run(nowMs, this.#openNumber());
      this.#sql.doubt.run();
      this.#putDeclaration({ ...declaration, accepted: true });
    });

  readonly doubtful: RecoveryStore['doubtful'] = () =>
    this.#parts.database.read(() =>
      this.#sql.doubtful.all().map(({ payment_id }) => bytesOf(payment_id)),
    );

  readonly doubtfulPayees: RecoveryStore['doubtfulPayees'] = () =>
    this.#parts.database.read(() =>
      this.#sql.doubtfulPayees
        .all()
        .map(({ payee, payments }) => ({ payee, payments: Number(payments) })),
    );

  readonly linkRecords: RecoveryStore['linkRecords'] = (peer, sinceMs, after, limit) =>
    this.#parts.database.read(() => {
      const last = this.#sql.lastPayment.get()?.number ?? 0n;
      // Also what no row is numbered: the neighbour names it.
      if (after >= last) return { rows: [], next: undefined };
      const upTo = after + scannedMost;
      const found = this.#sql.between.all(after, upTo, peer, peer, sinceMs, sinceMs, limit);
      const rows = found.map((row) => ({ number: row.number, row: paymentRow(row) }));
      const scanned = rows.length < limit ? upTo : (rows.at(-1)?.number ?? upTo);
      return { rows, next: scanned >= last ? undefined : scanned };
    });

  readonly putDeclaration: RecoveryStore['putDeclaration'] = (declaration) =>
    this.#parts.database.write(() => {
      this.#putDeclaration(declaration);
    });

  readonly declarations: RecoveryStore['declarations'] = () =>
    this.#parts.database.read(() =>
      this.#sql.declarations.all().map((row): StoredDeclaration => {
        const checkpoint = bytesOrNone(row.held_checkpoint);
        const cosignature = bytesOrNone(row.held_cosignature);
        return {
          station: row.station,
          generation: row.generation,
          bytes: bytesOf(row.bytes),
          accepted: row.accepted === 1n,
          ...(checkpoint && cosignature && { held: { checkpoint, cosignature } }),
        };
      }),
    );

  #putDeclaration({ station, generation, bytes, accepted, held }: StoredDeclaration): void {
    const isKnown = this.#sql.sameDeclaration.get(station, bytes) !== undefined;
    const kept = this.#sql.countDeclarations.get(station)?.count ?? 0n;
    if (isKnown || (!accepted && kept >= declarationsMost)) return;
    this.#sql.putDeclaration.run(
      station,
      generation,
      bytes,
      held?.checkpoint ?? null,
      held?.cosignature ?? null,
      accepted ? 1 : 0,
    );
  }

  #openNumber(): bigint {
    const row = this.#sql.last.get();
    if (row?.state !== 'rebuilding')
      throw new StoreError('wrong-state', 'no recovery is under way');
    return row.number;
  }
}

interface StoredRecovery {
  readonly number: bigint;
  readonly state: RecoveryRow['state'];
  readonly kept_size: bigint;
  readonly kept_root: Uint8Array;
  readonly since: bigint;
  readonly begun_ms: bigint;
  readonly done_ms: bigint | null;
}

interface StoredPeer {
  readonly peer: StationName;
  readonly state: RecoveryPeer['state'];
  readonly cursor: bigint;
  readonly shown: bigint;
  readonly restored: bigint;
  readonly verdicts: bigint;
  readonly refused: bigint;
  readonly contradictions: bigint;
  readonly trouble: string | null;
}

interface DeclarationRow {
  readonly station: StationName;
  readonly generation: bigint;
  readonly bytes: Uint8Array;
  readonly held_checkpoint: Uint8Array | null;
  readonly held_cosignature: Uint8Array | null;
  readonly accepted: bigint;
}

interface PageValues {
  readonly recovery: bigint;
  readonly peer: string;
  readonly cursor: bigint;
  readonly state: string;
  readonly shown: number;
  readonly restored: number;
  readonly verdicts: number;
  readonly refused: number;
  readonly contradictions: number;
  readonly trouble: string | null;
}

function recoveryPeer({ trouble, ...row }: StoredPeer): RecoveryPeer {
  return {
    peer: row.peer,
    state: row.state,
    cursor: row.cursor,
    shown: Number(row.shown),
    restored: Number(row.restored),
    verdicts: Number(row.verdicts),
    refused: Number(row.refused),
    contradictions: Number(row.contradictions),
    ...present('trouble', trouble),
  };
}

function prepareRecovery(database: SqliteDatabase) {
  return {
    last: database.prepare<[], StoredRecovery>(
      'SELECT * FROM recovery ORDER BY number DESC LIMIT 1',
    ),
    peers: database.prepare<[bigint], StoredPeer>(
      'SELECT * FROM recovery_peer WHERE recovery = ? ORDER BY peer',
    ),
    begin: database.prepare<[bigint, Uint8Array, bigint, number]>(
      `INSERT INTO recovery (state, kept_size, kept_root, since, begun_ms)
       VALUES ('rebuilding', ?, ?, ?, ?)`,
    ),
    addPeer: database.prepare<[bigint, string]>(
      "INSERT INTO recovery_peer (recovery, peer, state) VALUES (?, ?, 'asking')",
    ),
    leaveOut: database.prepare<[bigint, string]>(
      `INSERT INTO recovery_peer (recovery, peer, state) VALUES (?, ?, 'left-out')
       ON CONFLICT (recovery, peer) DO UPDATE SET state = 'left-out' WHERE state = 'asking'`,
    ),
    take: database.prepare<[PageValues]>(
      `UPDATE recovery_peer SET cursor = @cursor, shown = shown + @shown,
         restored = restored + @restored, verdicts = verdicts + @verdicts,
         refused = refused + @refused, contradictions = contradictions + @contradictions,
         trouble = coalesce(@trouble, trouble),
         state = CASE state WHEN 'asking' THEN @state ELSE state END
       WHERE recovery = @recovery AND peer = @peer`,
    ),
    finish: database.prepare<[number, bigint]>(
      "UPDATE recovery SET state = 'done', done_ms = ? WHERE number = ?",
    ),
    doubt: database.prepare<[]>(
      `INSERT INTO doubtful_payment (number)
       SELECT number FROM payment WHERE role = 'last' AND decided_ms IS NULL
       ON CONFLICT DO NOTHING`,
    ),
    doubtful: database.prepare<[], { readonly payment_id: Uint8Array }>(
      `SELECT payment_id FROM payment JOIN doubtful_payment USING (number)
       WHERE decided_ms IS NULL ORDER BY number`,
    ),
    doubtfulPayees: database.prepare<[], { readonly payee: UserName; readonly payments: bigint }>(
      `SELECT payee, count(*) AS payments FROM payment JOIN doubtful_payment USING (number)
       WHERE decided_ms IS NULL GROUP BY payee ORDER BY payee`,
    ),
    lastPayment: database.prepare<[], { readonly number: bigint }>(
      'SELECT coalesce(max(number), 0) AS number FROM payment',
    ),
    between: database.prepare<
      [bigint, bigint, string, string, number, number, number],
      StoredPayment
    >(`${wholePayment} WHERE p.number > ? AND p.number <= ? AND (p.previous = ? OR p.next = ?)
       AND (p.stored_ms >= ? OR p.decided_ms >= ?) AND p.state <> 'refused'
       ORDER BY p.number LIMIT ?`),
    sameDeclaration: database.prepare<[string, Uint8Array], { readonly number: bigint }>(
      'SELECT number FROM declaration WHERE station = ? AND bytes = ?',
    ),
    countDeclarations: database.prepare<[string], { readonly count: bigint }>(
      'SELECT count(*) AS count FROM declaration WHERE station = ? AND accepted = 0',
    ),
    putDeclaration: database.prepare<
      [string, bigint, Uint8Array, Uint8Array | null, Uint8Array | null, number]
    >(`INSERT INTO declaration
         (station, generation, bytes, held_checkpoint, held_cosignature, accepted)
       VALUES (?, ?, ?, ?, ?, ?)`),
    declarations: database.prepare<[], DeclarationRow>(
      `SELECT station, generation, bytes, held_checkpoint, held_cosignature, accepted
       FROM declaration ORDER BY number`,
    ),
  };
}
