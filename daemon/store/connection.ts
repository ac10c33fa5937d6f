/**
 * SQLite as the whole of `daemon/` opens it, and its faults in the store's words. The one file here
 * that imports better-sqlite3.
 */
import { statSync } from 'node:fs';
import Database from 'better-sqlite3';
import { StoreError, type StoreErrorCode } from './store-error.ts';

/** Prepared SQL. BLOBs are bound as plain `Uint8Array`s; integers are read as `bigint`. */
export interface Statement<P extends unknown[], R = unknown> {
  run(...values: P): { readonly changes: number; readonly lastInsertRowid: number | bigint };
  get(...values: P): R | undefined;
  all(...values: P): R[];
}

export const busyTimeoutMs = 5_000;

/**
 * What the addon made lives as long as the process. Compiled for Node.js from 24.17 on, an object
 * of its that is collected while no JavaScript runs ends the process.
 */
const kept: object[] = [];

/** What it throws is SQLite's own; `toStoreError` and `guarded` say it in our words. */
export class Connection {
  readonly #database: Database.Database;
  readonly #pragmas = new Map<string, Database.Statement>();

  /** `:memory:` for a database that is gone when closed. Throws StoreError. */
  constructor(file: string) {
    this.#database = opened(file);
    guarded(() => {
      this.#database.defaultSafeIntegers(true);
      this.pragma('journal_mode = WAL');
      this.pragma('synchronous = FULL');
      this.pragma('foreign_keys = ON');
      this.pragma('secure_delete = ON');
      this.pragma('wal_autocheckpoint = 0');
      this.pragma('cache_size = -65536');
      // What a statement that fails would be taken back from: never in a file, and never synced.
      this.pragma('temp_store = MEMORY');
    });
  }

  get inMemory(): boolean {
    return this.#database.memory;
  }

  get inTransaction(): boolean {
    return this.#database.inTransaction;
  }

  /** Prepared once, by whoever runs it. */
  prepare<P extends unknown[], R = unknown>(sql: string): Statement<P, R> {
    const statement = this.#database.prepare<P, R>(sql);
    kept.push(statement);
    return statement;
  }

  /** The first column of its answer, if it has one. */
  pragma(source: string): unknown {
    const known = this.#pragmas.get(source);
    const statement = known ?? this.#database.prepare(`PRAGMA ${source}`);
    if (known === undefined) {
      kept.push(statement);
      this.#pragmas.set(source, statement);
    }
    if (statement.reader) return statement.pluck().get();
    statement.run();
    return undefined;
  }

  /** Many statements without values. */
  execute(sql: string): void {
    this.#database.exec(sql);
  }

  close(): void {
    this.#database.close();
  }
}

/** A connection that only copies the log into the database, for the checkpoint worker. */
export class CheckpointConnection {
  readonly #connection: Connection;

  constructor(file: string) {
    this.#connection = new Connection(file);
  }

  passive(): void {
    this.#connection.pragma('wal_checkpoint(PASSIVE)');
  }

  close(): void {
    this.#connection.close();
  }
}

/**
 * Of all who name this file, one process holds it, until it releases it or ends. Throws StoreError
 * `busy`.
 */
export function holdFile(file: string): { readonly release: () => void } {
  const database = guarded(() => made(file, { timeout: 0 }));
  try {
    guarded(() => database.exec('BEGIN EXCLUSIVE'));
  } catch (fault) {
    database.close();
    throw fault;
  }
  return {
    release: () => {
      database.close();
    },
  };
}

/** One consistent copy of a database that others go on writing to; `target` must not exist. */
export function copyDatabase(file: string, target: string): void {
  const connection = new Connection(file);
  try {
    guarded(() => connection.prepare<[string]>('VACUUM INTO ?').run(target));
  } finally {
    connection.close();
  }
}

/** Brings what is committed into the file itself, of a database that nobody has open. */
export function foldLog(file: string): void {
  const connection = new Connection(file);
  try {
    guarded(() => connection.pragma('wal_checkpoint(TRUNCATE)'));
  } finally {
    connection.close();
  }
}

/**
 * Reads a database file and leaves it as it is, whatever its schema: `first` gives the first column
 * of the first row that a query finds.
 */
export function readUnchanged<T>(file: string, run: (first: (sql: string) => unknown) => T): T {
  return guarded(() => {
    const database = made(file, { readonly: true, fileMustExist: true });
    try {
      database.defaultSafeIntegers(true);
      return run((sql) => {
        const statement = database.prepare(sql);
        kept.push(statement);
        return statement.pluck().get();
      });
    } finally {
      database.close();
    }
  });
}

/** 0 where there is none. */
export function walBytes(file: string): number {
  return statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

function made(file: string, options: Database.Options): Database.Database {
  const database = new Database(file, options);
  kept.push(database);
  return database;
}

/** The path is the only thing that an operator can do something about. */
function opened(file: string): Database.Database {
  try {
    return made(file, { timeout: busyTimeoutMs });
  } catch (fault) {
    throw new StoreError('io', `${file} cannot be opened: ${toStoreError(fault).message}`, fault);
  }
}

export function guarded<T>(run: () => T): T {
  try {
    return run();
  } catch (fault) {
    throw toStoreError(fault);
  }
}

const breaking: ReadonlySet<StoreErrorCode> = new Set(['io', 'corrupt']);

const codes: readonly (readonly [prefix: string, StoreErrorCode])[] = [
  ['SQLITE_BUSY', 'busy'],
  ['SQLITE_LOCKED', 'busy'],
  ['SQLITE_FULL', 'disk-full'],
  ['SQLITE_IOERR', 'io'],
  ['SQLITE_CANTOPEN', 'io'],
  ['SQLITE_READONLY', 'io'],
  ['SQLITE_CORRUPT', 'corrupt'],
  ['SQLITE_NOTADB', 'corrupt'],
  ['SQLITE_CONSTRAINT_TRIGGER', 'wrong-state'],
];

/** The disk failed, or the file is not what was written. */
export function isOfDisk(fault: unknown): boolean {
  if (!(fault instanceof Database.SqliteError)) return false;
  const error = toStoreError(fault);
  return error instanceof StoreError && breaking.has(error.code);
}

export function toStoreError(fault: unknown): Error {
  if (!(fault instanceof Database.SqliteError)) {
    return fault instanceof Error ? fault : new StoreError('defect', 'not an error', fault);
  }
  const code = codes.find(([prefix]) => fault.code.startsWith(prefix))?.[1] ?? 'defect';
  return new StoreError(code, `${fault.code}: ${fault.message}`, fault);
}
