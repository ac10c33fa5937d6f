import type { SqliteDatabase } from './database.ts';
import type { LedgerRows } from './ledger-rows.ts';
import type { LogRows } from './log-rows.ts';
import type { LogStore, StoredLeaf } from './log-store.ts';
import type { PaymentRows } from './payment-rows.ts';
import { bytesOf, present } from './row-values.ts';
import type { StoreParts } from './store-parts.ts';

/** The log as others read it: sequencer, neighbours, audit. */
export class LogQueries implements LogStore {
  readonly #database: SqliteDatabase;
  readonly #log: LogRows;
  readonly #ledger: LedgerRows;
  readonly #payments: PaymentRows;
  readonly #sql: ReturnType<typeof prepareLogQueries>;

  constructor({ database, log, ledger }: StoreParts, payments: PaymentRows) {
    this.#database = database;
    this.#log = log;
    this.#ledger = ledger;
    this.#payments = payments;
    this.#sql = prepareLogQueries(database);
  }

  readonly logSize: LogStore['logSize'] = () => this.#database.read(() => this.#log.size());

  readonly logRoot: LogStore['logRoot'] = (size) => this.#database.read(() => this.#log.root(size));

  readonly logConsistency: LogStore['logConsistency'] = (first, second) =>
    this.#database.read(() => this.#log.consistency(first, second));

  readonly logLeaves: LogStore['logLeaves'] = (after, limit) =>
    this.#database.read(() => this.#sql.leaves.all(after, limit).map((row) => this.#leaf(row)));

  readonly logTiles: LogStore['logTiles'] = (level, after, limit) =>
    this.#database.read(() =>
      this.#sql.tiles
        .all(level, after, limit)
        .map(({ number, hash }) => ({ level, number, hash: bytesOf(hash) })),
    );

  #leaf({
    number,
    hash,
    first_transfer: first,
    last_transfer: last,
    payment,
  }: LeafRow): StoredLeaf {
    const ended = payment === null ? undefined : this.#payments.rowOrNone(payment);
    return {
      number,
      hash: bytesOf(hash),
      transfers: first === null || last === null ? [] : this.#ledger.between(first, last),
      ...present('firstTransfer', first),
      ...present('lastTransfer', last),
      endsPayment: payment !== null,
      ...present('payment', ended),
    };
  }
}

interface LeafRow {
  readonly number: bigint;
  readonly hash: Uint8Array;
  readonly first_transfer: bigint | null;
  readonly last_transfer: bigint | null;
  readonly payment: bigint | null;
}

function prepareLogQueries(database: SqliteDatabase) {
  return {
    leaves: database.prepare<[bigint, number], LeafRow>(
      `SELECT number, hash, first_transfer, last_transfer, payment FROM log_leaf
       WHERE number > ? ORDER BY number LIMIT ?`,
    ),
    tiles: database.prepare<
      [number, bigint, number],
      { readonly number: bigint; readonly hash: Uint8Array }
    >('SELECT number, hash FROM log_tile WHERE level = ? AND number > ? ORDER BY number LIMIT ?'),
  };
}
