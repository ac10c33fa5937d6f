/** The books on disk: postings become transfers and move the totals of their accounts. */
import type { BookStore, QuoteRow, Transfer } from './book-store.ts';
import type { UserName } from '../../applet-spec/names.ts';
import { isGuarded, type AccountName } from '../ledger/chart-of-accounts.ts';
import { postingsOf, type MoneyEvent, type Posting } from '../ledger/postings.ts';
import type { Statement } from './connection.ts';
import type { SqliteDatabase } from './database.ts';
import type { EndedPayment, LogRows } from './log-rows.ts';
import { bucketOf, bytesOf } from './row-values.ts';
import { StoreError } from './store-error.ts';

interface Movement {
  debits: bigint;
  credits: bigint;
}

export class LedgerRows {
  readonly #log: LogRows;
  readonly #sql: ReturnType<typeof prepareLedger>;
  readonly #numbers = new Map<AccountName, bigint>();
  readonly #moved = new Map<bigint, Movement>();

  constructor(database: SqliteDatabase, log: LogRows) {
    this.#log = log;
    this.#sql = prepareLedger(database);
    database.beforeEnd(() => {
      this.#moveTotals();
    });
    database.afterRollback(() => {
      this.#numbers.clear();
      this.#moved.clear();
    });
  }

  /**
   * Inside a transaction. `reference` is a payment ID, an order ID, or the operator's words. What
   * moves money, or ends a payment with or without that, is one leaf of the log (I35).
   */
  post(
    event: MoneyEvent | undefined,
    reference: Uint8Array,
    timeMs: number,
    end?: EndedPayment,
  ): void {
    const transfers = event === undefined ? [] : postingsOf(event);
    const numbers = transfers.map((transfer) => this.#transfer(transfer, reference, timeMs));
    const [first, last] = [numbers[0], numbers.at(-1)];
    const between =
      first === undefined || last === undefined ? undefined : ([first, last] as const);
    if (between === undefined && end === undefined) return;
    this.#log.append({ reference, timeMs, transfers, between, end });
  }

  #transfer({ debit, credit, amount, kind }: Posting, reference: Uint8Array, timeMs: number) {
    const from = this.#accountNumber(debit);
    const to = this.#accountNumber(credit);
    const done = this.#sql.insertTransfer.run(from, to, amount, kind, reference, timeMs);
    this.#movementOf(from).debits += amount;
    this.#movementOf(to).credits += amount;
    return BigInt(done.lastInsertRowid);
  }

  /** Credits less debits, what an account's owner may use; not yet moved transfers included. */
  credit(account: AccountName): bigint {
    const row = this.#sql.account.get(account);
    if (row === undefined) return 0n;
    const moved = this.#moved.get(row.number);
    return row.credits - row.debits + (moved?.credits ?? 0n) - (moved?.debits ?? 0n);
  }

  balances(): ReadonlyMap<string, bigint> {
    return new Map(
      this.#sql.accounts.all().map(({ name, debits, credits }) => [name, debits - credits]),
    );
  }

  transfers(after: bigint, limit: number): readonly Transfer[] {
    return this.#sql.transfers.all(after, limit).map(transferOf);
  }

  /** Of a step: by number, the first and the last named. */
  between(first: bigint, last: bigint): readonly Transfer[] {
    return this.#sql.between.all(first, last).map(transferOf);
  }

  #accountNumber(name: AccountName): bigint {
    const known = this.#numbers.get(name);
    if (known !== undefined) return known;
    this.#sql.insertAccount.run(name, isGuarded(name) ? 1 : 0);
    const row = this.#sql.account.get(name);
    if (row === undefined) throw new StoreError('defect', `no account ${name}`);
    this.#numbers.set(name, row.number);
    return row.number;
  }

  #movementOf(account: bigint): Movement {
    let movement = this.#moved.get(account);
    if (movement === undefined) {
      movement = { debits: 0n, credits: 0n };
      this.#moved.set(account, movement);
    }
    return movement;
  }

  /** Once per call, however many transfers: the overdraft guard is the table's own. */
  #moveTotals(): void {
    for (const [number, { debits, credits }] of this.#moved) {
      this.#sql.moveTotals.run(debits, credits, number);
    }
    this.#moved.clear();
  }
}

interface AccountRow {
  readonly number: bigint;
  readonly name: string;
  readonly debits: bigint;
  readonly credits: bigint;
}

interface TransferRow extends Omit<Transfer, 'timeMs'> {
  readonly time_ms: bigint;
}

function transferOf({ time_ms, reference, ...row }: TransferRow): Transfer {
  return { ...row, reference: bytesOf(reference), timeMs: Number(time_ms) };
}

const allTransfers = `SELECT t.number, d.name AS debit, c.name AS credit, t.amount, t.kind,
    t.reference, t.time_ms
  FROM transfer t JOIN account d ON d.number = t.debit JOIN account c ON c.number = t.credit`;

function prepareLedger(database: SqliteDatabase) {
  return {
    insertTransfer: database.prepare<
      [bigint, bigint, bigint, string, Uint8Array, number]
    >(`INSERT INTO transfer (debit, credit, amount, kind, reference, time_ms)
       VALUES (?, ?, ?, ?, ?, ?)`),
    insertAccount: database.prepare<[string, number]>(
      'INSERT INTO account (name, guarded) VALUES (?, ?) ON CONFLICT (name) DO NOTHING',
    ),
    account: database.prepare<[string], AccountRow>(
      'SELECT number, name, debits, credits FROM account WHERE name = ?',
    ),
    accounts: database.prepare<[], AccountRow>(
      'SELECT number, name, debits, credits FROM account ORDER BY name',
    ),
    moveTotals: database.prepare<[bigint, bigint, bigint]>(
      'UPDATE account SET debits = debits + ?, credits = credits + ? WHERE number = ?',
    ),
    transfers: database.prepare<[bigint, number], TransferRow>(
      `${allTransfers} WHERE t.number > ? ORDER BY t.number LIMIT ?`,
    ),
    between: database.prepare<[bigint, bigint], TransferRow>(
      `${allTransfers} WHERE t.number BETWEEN ? AND ? ORDER BY t.number LIMIT 1000`,
    ),
  };
}

/** Quotes and the readable books. */
export class BookRows implements BookStore {
  readonly #database: SqliteDatabase;
  readonly #ledger: LedgerRows;
  readonly #sql: ReturnType<typeof prepareQuotes>;

  constructor(database: SqliteDatabase, ledger: LedgerRows) {
    this.#database = database;
    this.#ledger = ledger;
    this.#sql = prepareQuotes(database);
  }

  readonly balances: BookStore['balances'] = () =>
    this.#database.read(() => this.#ledger.balances());

  readonly transfers: BookStore['transfers'] = (after, limit) =>
    this.#database.read(() => this.#ledger.transfers(after, limit));

  readonly putQuotes: BookStore['putQuotes'] = (quotes) =>
    this.#database.write(() => {
      for (const { digest, payer, quote, acceptance, expirySeconds } of quotes) {
        const bucket = bucketOf(expirySeconds);
        this.#sql.insertBucket.run(bucket);
        this.#sql.insert.run(bucket, digest, payer, quote, acceptance, expirySeconds);
      }
    });

  readonly quote: BookStore['quote'] = (digest) =>
    this.#database.read(() => {
      const row = this.#sql.byDigest.get(digest);
      if (row === undefined) return undefined;
      return {
        digest: bytesOf(row.digest),
        payer: row.payer,
        quote: bytesOf(row.quote),
        acceptance: bytesOf(row.acceptance),
        expirySeconds: row.expiry,
      };
    });

  readonly markPaying: BookStore['markPaying'] = (quoteDigest, payer) =>
    this.#database.write(() => {
      this.#sql.markPaying.run(quoteDigest, payer);
    });

  readonly paying: BookStore['paying'] = (payer) =>
    this.#database.read(() =>
      this.#sql.paying.all(payer).map(({ quote_digest }) => bytesOf(quote_digest)),
    );

  readonly unmarkPaying: BookStore['unmarkPaying'] = (quoteDigest) =>
    this.#database.write(() => {
      this.#sql.unmarkPaying.run(quoteDigest);
    });

  readonly dropQuotes: BookStore['dropQuotes'] = (expiredBeforeSeconds, limit) =>
    this.#database.write(() => {
      const bucket = bucketOf(expiredBeforeSeconds);
      const dropped = this.#sql.drop.run(bucket, expiredBeforeSeconds, limit).changes;
      this.#sql.dropBuckets.run(bucket);
      return dropped;
    });
}

interface StoredQuote extends Omit<QuoteRow, 'expirySeconds'> {
  readonly payer: UserName;
  readonly expiry: bigint;
}

function prepareQuotes(database: SqliteDatabase): {
  readonly insert: Statement<[bigint, Uint8Array, string, Uint8Array, Uint8Array, bigint]>;
  readonly insertBucket: Statement<[bigint]>;
  readonly byDigest: Statement<[Uint8Array], StoredQuote>;
  readonly markPaying: Statement<[Uint8Array, string]>;
  readonly paying: Statement<[string], { readonly quote_digest: Uint8Array }>;
  readonly unmarkPaying: Statement<[Uint8Array]>;
  readonly drop: Statement<[bigint, bigint, number]>;
  readonly dropBuckets: Statement<[bigint]>;
} {
  return {
    insert: database.prepare(
      `INSERT INTO quote (bucket, digest, payer, quote, acceptance, expiry)
       VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (bucket, digest) DO NOTHING`,
    ),
    insertBucket: database.prepare(
      'INSERT INTO quote_bucket (bucket) VALUES (?) ON CONFLICT DO NOTHING',
    ),
    byDigest: database.prepare(
      `SELECT digest, payer, quote, acceptance, expiry FROM quote
       WHERE bucket IN (SELECT bucket FROM quote_bucket) AND digest = ?`,
    ),
    markPaying: database.prepare(
      'INSERT INTO paying (quote_digest, payer) VALUES (?, ?) ON CONFLICT DO NOTHING',
    ),
    paying: database.prepare('SELECT quote_digest FROM paying WHERE payer = ?'),
    unmarkPaying: database.prepare('DELETE FROM paying WHERE quote_digest = ?'),
    drop: database.prepare(
      `DELETE FROM quote WHERE number IN (
         SELECT number FROM quote WHERE bucket <= ? AND expiry < ?
         AND digest NOT IN (SELECT quote_digest FROM paying) ORDER BY bucket LIMIT ?)`,
    ),
    dropBuckets: database.prepare(
      `DELETE FROM quote_bucket WHERE bucket <= ?
       AND NOT EXISTS (SELECT 1 FROM quote WHERE quote.bucket = quote_bucket.bucket)`,
    ),
  };
}
