/**
 * SQLite as the store needs it: one connection that writes, calls grouped into few commits,
 * checkpoints kept off the writer. The one file of `daemon/` that imports better-sqlite3.
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

const busyTimeoutMs = 5_000;
/** Calls that share one commit. */
const groupCallsMost = 64;
/**
 * A commit waits for as many turns of the event loop, as long as each brings more calls: what is
 * under way together shares the pages it changes.
 */
const turnsMost = 8;

/** What keeps the write-ahead log short; told after each commit. */
export interface Checkpoints {
  /** How long the log may grow. It keeps this length: written over, it needs no new blocks. */
  readonly logBytesMost: number;
  /** True where the log has grown beyond what reading checkpoints can do. */
  committed(): boolean;
  restarted(): void;
  close(): Promise<void>;
}

interface Call {
  readonly run: () => void;
  readonly settle: () => void;
  readonly fail: (fault: unknown) => void;
}

export class SqliteDatabase {
  readonly #connection: Database.Database;
  readonly #beforeEnd: (() => void)[] = [];
  readonly #afterRollback: (() => void)[] = [];
  readonly #begin: Statement<[]>;
  readonly #commit: Statement<[]>;
  readonly #savepoint: Statement<[]>;
  readonly #release: Statement<[]>;
  #queue: Call[] = [];
  #turn: Promise<void> | undefined;
  #checkpoints: Checkpoints | undefined;
  #closed = false;
  readonly #onBroken: (fault: StoreError) => void;
  /**
   * The disk failed, or the file is not what was written: neither is trusted with anything more
   * (failure 41). A commit that failed may be found whole after a restart.
   */
  #broken: StoreError | undefined;

  /**
   * `:memory:` for a database that is gone when closed; `onBroken` is told once. Throws StoreError.
   */
  constructor(file: string, onBroken: (fault: StoreError) => void = () => undefined) {
    this.#connection = connect(file);
    this.#onBroken = onBroken;
    this.#begin = this.#connection.prepare('BEGIN IMMEDIATE');
    this.#commit = this.#connection.prepare('COMMIT');
    this.#savepoint = this.#connection.prepare('SAVEPOINT call');
    this.#release = this.#connection.prepare('RELEASE call');
  }

  get inMemory(): boolean {
    return this.#connection.memory;
  }

  useCheckpoints(checkpoints: Checkpoints): void {
    this.#checkpoints = checkpoints;
    this.#connection.pragma(`journal_size_limit = ${checkpoints.logBytesMost}`);
  }

  /** Prepared once, by whoever runs it. */
  prepare<P extends unknown[], R = unknown>(sql: string): Statement<P, R> {
    return this.#connection.prepare<P, R>(sql);
  }

  /** Many statements without values: migrations. */
  execute(sql: string): void {
    guarded(() => this.#connection.exec(sql));
  }

  schemaVersion(): number {
    return Number(this.#connection.pragma('user_version', { simple: true }));
  }

  /** Runs at the end of calls that stand or fall together, inside their transaction: totals. */
  beforeEnd(run: () => void): void {
    this.#beforeEnd.push(run);
  }

  /** Runs after a call was rolled back: caches forget what never was. */
  afterRollback(run: () => void): void {
    this.#afterRollback.push(run);
  }

  /** One transaction now, outside any group; for opening a store. */
  writeNow<T>(run: () => T): T {
    return guarded(() => {
      this.#begin.run();
      try {
        const value = run();
        this.#commit.run();
        return value;
      } catch (fault) {
        this.#rollBack();
        throw fault;
      }
    });
  }

  /**
   * One atomic call, durable once resolved. Calls of a few turns of the event loop, at most 64,
   * share a commit; a fault rolls back its own call only. `run` must not await, and may be run
   * again after it was rolled back.
   */
  write<T>(run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#closed) {
        reject(new StoreError('closed', 'the store is closed'));
        return;
      }
      if (this.#broken !== undefined) {
        reject(this.#broken);
        return;
      }
      let value: { readonly of: T } | undefined;
      this.#queue.push({
        run: () => {
          value = { of: run() };
        },
        settle: () => {
          if (value !== undefined) resolve(value.of);
        },
        fail: (fault) => {
          reject(this.#faultOf(fault));
        },
      });
      this.#turn ??= this.#groupSoon();
    });
  }

  read<T>(run: () => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      try {
        if (this.#closed) throw new StoreError('closed', 'the store is closed');
        if (this.#broken !== undefined) throw this.#broken;
        resolve(run());
      } catch (fault) {
        reject(this.#faultOf(fault));
      }
    });
  }

  /** Ends what was asked before, then closes, waiting for nobody; further calls are refused. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    while (this.#turn !== undefined) await this.#turn;
    try {
      await this.#checkpoints?.close();
    } finally {
      guarded(() => {
        const isSound = this.#broken === undefined;
        this.#connection.pragma('busy_timeout = 0');
        if (isSound && !this.inMemory) this.#connection.pragma('wal_checkpoint(TRUNCATE)');
        this.#connection.close();
      });
    }
  }

  #groupSoon(): Promise<void> {
    return new Promise((done) => {
      const wait = (turns: number): void => {
        const before = this.#queue.length;
        setImmediate(() => {
          const grows = this.#queue.length > before && this.#queue.length < groupCallsMost;
          if (grows && turns > 1) {
            wait(turns - 1);
          } else {
            this.#runGroup();
            done();
          }
        });
      };
      wait(turnsMost);
    });
  }

  #runGroup(): void {
    const calls = this.#queue.slice(0, groupCallsMost);
    this.#queue = this.#queue.slice(groupCallsMost);
    this.#turn = this.#queue.length === 0 ? undefined : this.#groupSoon();
    let good: readonly Call[];
    try {
      good = this.#runTogether(calls) ? calls : this.#runApart(calls);
    } catch (fault) {
      const why = this.#faultOf(fault);
      this.#rollBack();
      for (const call of calls) call.fail(why);
      return;
    }
    for (const call of good) call.settle();
    this.#afterCommit();
  }

  /**
   * Without savepoints, for which SQLite copies every page that changes, and with running totals
   * moved once. False where a call failed, which is rare: nothing is done then.
   */
  #runTogether(calls: readonly Call[]): boolean {
    this.#begin.run();
    try {
      for (const call of calls) call.run();
      for (const run of this.#beforeEnd) run();
    } catch (fault) {
      this.#faultOf(fault);
      if (this.#broken !== undefined) throw fault;
      this.#rollBack();
      return false;
    }
    this.#commit.run();
    return true;
  }

  /** Each call under a savepoint of its own; returns those that did not fail. */
  #runApart(calls: readonly Call[]): readonly Call[] {
    this.#begin.run();
    const good = calls.filter((call) => this.#runCall(call));
    this.#commit.run();
    return good;
  }

  /** Throws where SQLite has given up the whole transaction. */
  #runCall(call: Call): boolean {
    this.#savepoint.run();
    try {
      call.run();
      for (const run of this.#beforeEnd) run();
    } catch (fault) {
      if (!this.#connection.inTransaction) throw fault;
      this.#connection.exec('ROLLBACK TO call; RELEASE call');
      for (const run of this.#afterRollback) run();
      call.fail(fault);
      return false;
    }
    this.#release.run();
    return true;
  }

  #rollBack(): void {
    try {
      if (this.#connection.inTransaction) this.#connection.exec('ROLLBACK');
    } catch (fault) {
      this.#faultOf(fault);
    }
    for (const run of this.#afterRollback) run();
  }

  /** What a caller is told; what the disk did is remembered for all that follow. */
  #faultOf(fault: unknown): Error {
    const error = toStoreError(fault);
    const isOfDisk = fault instanceof Database.SqliteError && error instanceof StoreError;
    if (this.#broken === undefined && isOfDisk && breaking.has(error.code)) {
      this.#broken = error;
      this.#onBroken(error);
    }
    return error;
  }

  #afterCommit(): void {
    if (this.#checkpoints?.committed() !== true) return;
    try {
      // Whoever reads for long, as an audit that copies it all, is not waited for.
      this.#connection.pragma('busy_timeout = 0');
      const held = this.#connection.pragma('wal_checkpoint(RESTART)', { simple: true });
      // Another connection read or checkpointed all the while: again after the next commit.
      if (held === 0n) this.#checkpoints.restarted();
    } catch (fault) {
      this.#faultOf(fault);
    } finally {
      this.#connection.pragma(`busy_timeout = ${busyTimeoutMs}`);
    }
  }
}

/** A connection that only copies the log into the database, for the checkpoint worker. */
export class CheckpointConnection {
  readonly #connection: Database.Database;

  constructor(file: string) {
    this.#connection = connect(file);
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
  const connection = guarded(() => new Database(file, { timeout: 0 }));
  try {
    guarded(() => connection.exec('BEGIN EXCLUSIVE'));
  } catch (fault) {
    connection.close();
    throw fault;
  }
  return {
    release: () => {
      connection.close();
    },
  };
}

/** One consistent copy of a database that others go on writing to; `target` must not exist. */
export function copyDatabase(file: string, target: string): void {
  const connection = connect(file);
  try {
    guarded(() => connection.prepare<[string]>('VACUUM INTO ?').run(target));
  } finally {
    connection.close();
  }
}

/** 0 where there is none. */
export function walBytes(file: string): number {
  return statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0;
}

function connect(file: string): Database.Database {
  const connection = opened(file);
  return guarded(() => {
    connection.defaultSafeIntegers(true);
    connection.pragma('journal_mode = WAL');
    connection.pragma('synchronous = FULL');
    connection.pragma('foreign_keys = ON');
    connection.pragma('secure_delete = ON');
    connection.pragma('wal_autocheckpoint = 0');
    connection.pragma('cache_size = -65536');
    // What a statement that fails would be taken back from: never in a file, and never synced.
    connection.pragma('temp_store = MEMORY');
    return connection;
  });
}

/** The path is the only thing that an operator can do something about. */
function opened(file: string): Database.Database {
  try {
    return new Database(file, { timeout: busyTimeoutMs });
  } catch (fault) {
    throw new StoreError('io', `${file} cannot be opened: ${toStoreError(fault).message}`, fault);
  }
}

function guarded<T>(run: () => T): T {
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

function toStoreError(fault: unknown): Error {
  if (!(fault instanceof Database.SqliteError)) {
    return fault instanceof Error ? fault : new StoreError('defect', 'not an error', fault);
  }
  const code = codes.find(([prefix]) => fault.code.startsWith(prefix))?.[1] ?? 'defect';
  return new StoreError(code, `${fault.code}: ${fault.message}`, fault);
}
