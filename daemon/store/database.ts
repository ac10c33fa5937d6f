/**
 * The store's database: one connection that writes, calls grouped into few commits, checkpoints
 * kept off the writer.
 */
import {
  busyTimeoutMs,
  Connection,
  guarded,
  isOfDisk,
  toStoreError,
  type Statement,
} from './connection.ts';
import { StoreError } from './store-error.ts';

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
  readonly #connection: Connection;
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
    this.#connection = new Connection(file);
    this.#onBroken = onBroken;
    this.#begin = this.#connection.prepare('BEGIN IMMEDIATE');
    this.#commit = this.#connection.prepare('COMMIT');
    this.#savepoint = this.#connection.prepare('SAVEPOINT call');
    this.#release = this.#connection.prepare('RELEASE call');
  }

  get inMemory(): boolean {
    return this.#connection.inMemory;
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
    guarded(() => this.#connection.execute(sql));
  }

  schemaVersion(): number {
    return Number(this.#connection.pragma('user_version'));
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
      this.#connection.execute('ROLLBACK TO call; RELEASE call');
      for (const run of this.#afterRollback) run();
      call.fail(fault);
      return false;
    }
    this.#release.run();
    return true;
  }

  #rollBack(): void {
    try {
      if (this.#connection.inTransaction) this.#connection.execute('ROLLBACK');
    } catch (fault) {
      this.#faultOf(fault);
    }
    for (const run of this.#afterRollback) run();
  }

  /** What a caller is told; what the disk did is remembered for all that follow. */
  #faultOf(fault: unknown): Error {
    const error = toStoreError(fault);
    if (this.#broken === undefined && isOfDisk(fault) && error instanceof StoreError) {
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
      const held = this.#connection.pragma('wal_checkpoint(RESTART)');
      // Another connection read or checkpointed all the while: again after the next commit.
      if (held === 0n) this.#checkpoints.restarted();
    } catch (fault) {
      this.#faultOf(fault);
    } finally {
      this.#connection.pragma(`busy_timeout = ${busyTimeoutMs}`);
    }
  }
}
