import type { Primitives } from '../../applet-spec/primitives.ts';
import type { StationName } from '../../applet-spec/names.ts';
import { logLeafHash, type LogLeaf, type PaymentEnd } from '../witness/log-leaf.ts';
import { LogTree, tileLeaves } from '../witness/log-tree.ts';
import type { SqliteDatabase } from './database.ts';
import { bytesOf } from './row-values.ts';

/** What one leaf stands for: transfers of one step, a payment's end, or both. */
export interface NewLeaf {
  /** Of the transfers; the payment's ID where one ends. */
  readonly reference: Uint8Array;
  readonly timeMs: number;
  readonly transfers: LogLeaf['transfers'];
  /** Numbers of the first and the last of them. */
  readonly between: readonly [first: bigint, last: bigint] | undefined;
  readonly end: EndedPayment | undefined;
}

export interface EndedPayment extends PaymentEnd {
  /** Of the payment's row. */
  readonly number: bigint;
}

/**
 * The log, inside the transactions of what it tells of (I35). Leaves number themselves, so nothing
 * is remembered between two of them and a group that is run again makes the same.
 */
export class LogRows {
  readonly #station: StationName;
  readonly #primitives: Primitives;
  readonly #tree: LogTree;
  readonly #sql: ReturnType<typeof prepareLog>;

  constructor(database: SqliteDatabase, station: StationName, primitives: Primitives) {
    this.#station = station;
    this.#primitives = primitives;
    this.#sql = prepareLog(database);
    this.#tree = new LogTree(primitives, {
      hashes: (level, skip, count) => this.#hashes(level, skip, count),
    });
  }

  append({ reference, timeMs, transfers, between, end }: NewLeaf): void {
    const hash = logLeafHash(this.#primitives, {
      station: this.#station,
      reference,
      timeMs: BigInt(timeMs),
      transfers,
      ...(end !== undefined && { end }),
    });
    const [first, last] = between ?? [null, null];
    const { lastInsertRowid } = this.#sql.insert.run(hash, first, last, end?.number ?? null);
    this.#closeTiles(1, BigInt(lastInsertRowid));
  }

  size(): bigint {
    return this.#sql.size.get()?.size ?? 0n;
  }

  root(size: bigint): Uint8Array {
    this.#requireLeaves(size);
    return this.#tree.root(size);
  }

  consistency(first: bigint, second: bigint): readonly Uint8Array[] {
    this.#requireLeaves(second);
    return this.#tree.consistency(first, second);
  }

  /** Where the last of 256 has come, the tile over them; of its level likewise. */
  #closeTiles(level: number, below: bigint): void {
    if (below % tileLeaves !== 0n) return;
    const number = below / tileLeaves;
    this.#sql.insertTile.run(level, number, this.#tree.tile(level, number - 1n));
    this.#closeTiles(level + 1, number);
  }

  #hashes(level: number, skip: bigint, count: number): readonly Uint8Array[] {
    const rows =
      level === 0 ? this.#sql.leaves.all(skip, count) : this.#sql.tiles.all(level, skip, count);
    if (rows.length < count) throw new RangeError('hashes of the log are not there');
    return rows.map(({ hash }) => bytesOf(hash));
  }

  #requireLeaves(size: bigint): void {
    const present = this.size();
    if (size < 0n || size > present) {
      throw new RangeError(`the log has ${present} leaves, not ${size}`);
    }
  }
}

interface HashRow {
  readonly hash: Uint8Array;
}

function prepareLog(database: SqliteDatabase) {
  return {
    insert: database.prepare<[Uint8Array, bigint | null, bigint | null, bigint | null]>(
      'INSERT INTO log_leaf (hash, first_transfer, last_transfer, payment) VALUES (?, ?, ?, ?)',
    ),
    insertTile: database.prepare<[number, bigint, Uint8Array]>(
      'INSERT INTO log_tile (level, number, hash) VALUES (?, ?, ?)',
    ),
    size: database.prepare<[], { readonly size: bigint }>(
      'SELECT coalesce(max(number), 0) AS size FROM log_leaf',
    ),
    leaves: database.prepare<[bigint, number], HashRow>(
      'SELECT hash FROM log_leaf WHERE number > ? ORDER BY number LIMIT ?',
    ),
    tiles: database.prepare<[number, bigint, number], HashRow>(
      'SELECT hash FROM log_tile WHERE level = ? AND number > ? ORDER BY number LIMIT ?',
    ),
  };
}
