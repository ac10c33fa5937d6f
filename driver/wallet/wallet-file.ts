/**
 * The one importer of better-sqlite3 on the user's machine: opening, numbered migrations, faults.
 */
import Database from 'better-sqlite3';
import { chmodSync, copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { makeWalletFolder } from './wallet-folder.ts';
import { walletMigrations } from './wallet-migrations.ts';
import { WalletError } from './wallet-error.ts';

export type SqlValue = string | number | bigint | Uint8Array | null;
export type SqlRow = Readonly<Record<string, unknown>>;

const busyTimeoutMs = 5_000;

/**
 * What the addon made lives as long as the process. Compiled for Node.js from 24.17 on, an object
 * of its that is collected while no JavaScript runs ends the process.
 */
const kept: object[] = [];

/** A wallet's database: what it runs is durable when the call returns (`synchronous=FULL`). */
export class WalletFile {
  readonly #database: Database.Database;
  /** For people: a copy in memory is of this one. */
  readonly #path: string;
  readonly #statements = new Map<string, Database.Statement>();

  private constructor(database: Database.Database, path: string) {
    this.#database = database;
    this.#path = path;
  }

  /** Makes the folder (0700) and the file (0600) where they are not. Throws WalletError. */
  static open(path: string): WalletFile {
    return guard(path, () => {
      makeWalletFolder(dirname(path));
      const database = open(path, busyTimeoutMs);
      try {
        chmodSync(path, 0o600);
        pragma(database, 'journal_mode = WAL');
        pragma(database, 'synchronous = FULL');
        pragma(database, 'foreign_keys = ON');
        database.defaultSafeIntegers(true);
        migrate(database, path);
        return new WalletFile(database, path);
      } catch (error) {
        database.close();
        throw error;
      }
    });
  }

  /** What it holds now, in memory: of one on a medium that takes no writing. Throws WalletError. */
  static copyOf(path: string): WalletFile {
    return guard(path, () => {
      const database = open(contentOf(path), 0);
      database.defaultSafeIntegers(true);
      migrate(database, path);
      return new WalletFile(database, path);
    });
  }

  /** With nothing in it, and gone when it is closed. */
  static inMemory(): WalletFile {
    const database = open(':memory:', 0);
    database.defaultSafeIntegers(true);
    migrate(database, database.name);
    return new WalletFile(database, database.name);
  }

  /** Changes made; throws WalletError. */
  run(sql: string, ...values: readonly SqlValue[]): number {
    return guard(this.#path, () => this.#statement(sql).run(...values).changes);
  }

  all(sql: string, ...values: readonly SqlValue[]): readonly SqlRow[] {
    return guard(this.#path, () =>
      this.#statement(sql)
        .all(...values)
        .map(toRow),
    );
  }

  first(sql: string, ...values: readonly SqlValue[]): SqlRow | undefined {
    const row = guard(this.#path, () => this.#statement(sql).get(...values));
    return row === undefined ? undefined : toRow(row);
  }

  /** All of `work` or, when it throws, nothing of it. */
  atomically<T>(work: () => T): T {
    return guard(this.#path, () => this.#database.transaction(work).immediate());
  }

  close(): void {
    this.#database.close();
  }

  #statement(sql: string): Database.Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = prepare(this.#database, sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/**
 * Its write-ahead log included. SQLite cannot read a database with such a log where it may write
 * nothing, so a copy of both stands aside for that moment.
 */
function contentOf(path: string): Buffer {
  const aside = mkdtempSync(join(tmpdir(), 'keytoll-read-'));
  try {
    const copy = join(aside, basename(path));
    for (const suffix of ['', '-wal']) {
      if (suffix !== '' && !existsSync(path + suffix)) continue;
      copyFileSync(path + suffix, copy + suffix);
      chmodSync(copy + suffix, 0o600);
    }
    const database = open(copy, 0);
    try {
      pragma(database, 'journal_mode = DELETE');
      return database.serialize();
    } finally {
      database.close();
    }
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

function open(source: string | Buffer, timeout: number): Database.Database {
  const database = new Database(source, { timeout });
  kept.push(database);
  return database;
}

function prepare(database: Database.Database, sql: string): Database.Statement {
  const statement = database.prepare(sql);
  kept.push(statement);
  return statement;
}

/** The first column of its answer, if it has one. */
function pragma(database: Database.Database, source: string): unknown {
  const statement = prepare(database, `PRAGMA ${source}`);
  if (statement.reader) return statement.pluck().get();
  statement.run();
  return undefined;
}

function migrate(database: Database.Database, path: string): void {
  const version = Number(pragma(database, 'user_version'));
  if (version > walletMigrations.length) {
    throw new WalletError(
      'wallet-newer',
      `${path} is of version ${version}, this program knows ${walletMigrations.length}`,
    );
  }
  database
    .transaction(() => {
      // Read again under the lock: another program may have migrated meanwhile.
      const from = Number(pragma(database, 'user_version'));
      for (const sql of walletMigrations.slice(from)) database.exec(sql);
      pragma(database, `user_version = ${walletMigrations.length}`);
    })
    .immediate();
}

function toRow(row: unknown): SqlRow {
  if (typeof row !== 'object' || row === null) throw new TypeError('a row is no object');
  return { ...row };
}

/**
 * Of all programs that name this file one holds it, until it lets go or ends, however that be.
 * Throws WalletError: `wallet-busy` where another one does.
 */
export function holdFile(path: string): { readonly release: () => void } {
  return guard(path, () => {
    const database = open(path, 0);
    try {
      database.exec('BEGIN EXCLUSIVE');
      chmodSync(path, 0o600);
    } catch (error) {
      database.close();
      throw error;
    }
    return {
      release: () => {
        database.close();
      },
    };
  });
}

function guard<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Database.SqliteError) throw sqliteFault(path, error);
    if (isSystemError(error)) {
      throw new WalletError('wallet-unreachable', `${path}: ${error.message}`, error);
    }
    throw error;
  }
}

function sqliteFault(path: string, error: Error & { readonly code: string }): WalletError {
  if (error.code.startsWith('SQLITE_BUSY')) {
    return new WalletError('wallet-busy', `${path} is held by another program`, error);
  }
  if (error.code === 'SQLITE_NOTADB' || error.code.startsWith('SQLITE_CORRUPT')) {
    return new WalletError('wallet-damaged', `${path} is no wallet, or a damaged one`, error);
  }
  return new WalletError('wallet-unreachable', `${path}: ${error.message}`, error);
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
