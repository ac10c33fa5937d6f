import { toUtf8 } from '../../applet-spec/bytes.ts';
import type { Currency, UserName } from '../../applet-spec/names.ts';
import { accounts, type AccountName } from '../ledger/chart-of-accounts.ts';
import { CertificateRows } from './certificate-rows.ts';
import type { SqliteDatabase } from './database.ts';
import { bytesOrNone, present } from './row-values.ts';
import { StoreError } from './store-error.ts';
import type { StoreParts } from './store-parts.ts';
import type { UserRecord, UserStore } from './store.ts';

/** The largest integer of SQLite. */
const totalMost = 2n ** 63n - 1n;

/** Users, their certificates, and the operator's cash in and out. */
export class UserRows implements UserStore {
  readonly #parts: StoreParts;
  readonly #certificates: CertificateRows;
  readonly #sql: ReturnType<typeof prepareUsers>;

  constructor(parts: StoreParts) {
    this.#parts = parts;
    this.#certificates = new CertificateRows(parts);
    this.#sql = prepareUsers(parts.database);
  }

  readonly addUser: UserStore['addUser'] = (user, currency) =>
    this.#parts.database.write(() => {
      if (currency !== this.#parts.currency) {
        throw new StoreError('defect', `accounts here are in ${this.#parts.currency}`);
      }
      return this.#sql.insert.run(user, currency).changes === 1 ? 'created' : 'exists';
    });

  readonly user: UserStore['user'] = (user) =>
    this.#parts.database.read(() => {
      const row = this.#sql.one.get(user);
      return row && this.#record(row);
    });

  readonly users: UserStore['users'] = () =>
    this.#parts.database.read(() => this.#sql.all.all().map((row) => this.#record(row)));

  readonly putCertificates: UserStore['putCertificates'] = (certificates) =>
    this.#parts.database.write(() => certificates.map((one) => this.#certificates.put(one)));

  readonly certificate: UserStore['certificate'] = (hash) =>
    this.#parts.database.read(() => this.#certificates.get(hash));

  readonly topUp: UserStore['topUp'] = (user, amount, reference, nowMs) =>
    this.#parts.database.write(() => {
      const known = this.#known('top-up', user, amount, reference);
      if (known !== undefined) return known;
      this.#requireRoom(accounts.user(user), amount);
      this.#requireRoom(accounts.cash, amount);
      this.#move('top-up', user, amount, reference, nowMs);
      return 'created';
    });

  readonly payOut: UserStore['payOut'] = (user, amount, reference, nowMs) =>
    this.#parts.database.write(() => {
      const known = this.#known('pay-out', user, amount, reference);
      if (known !== undefined) return known;
      if (this.#parts.ledger.credit(accounts.user(user)) < amount) return 'balance-too-low';
      this.#move('pay-out', user, amount, reference, nowMs);
      return 'created';
    });

  /** What was under this reference before; undefined for a new one of a known user. */
  #known(kind: string, user: UserName, amount: bigint, reference: string) {
    const before = this.#sql.movement.get(kind, reference);
    if (before !== undefined) {
      const same = before.user === user && before.amount === amount;
      return same ? 'exists' : 'exists-with-different-amount';
    }
    return this.#sql.one.get(user) === undefined ? 'unknown-user' : undefined;
  }

  /** Totals only ever grow; beyond this one SQLite would count in fractions. */
  #requireRoom(name: AccountName, amount: bigint): void {
    const total = this.#sql.total.get({ name, isAsset: name === accounts.cash ? 1 : 0 })?.total;
    if (total === undefined || total + amount <= totalMost) return;
    throw new StoreError(
      'defect',
      `account ${name} cannot take ${amount} minor units more: ${total} have gone into it, ` +
        `and no account counts beyond ${totalMost} of all that ever did`,
    );
  }

  #move(
    event: 'top-up' | 'pay-out',
    user: UserName,
    amount: bigint,
    reference: string,
    nowMs: number,
  ): void {
    this.#sql.insertMovement.run(event, reference, user, amount);
    this.#parts.ledger.post({ event, user, amount }, toUtf8(reference), nowMs);
  }

  #record(row: UserRow): UserRecord {
    return {
      user: row.name,
      ...present('certificateHash', bytesOrNone(row.certificate_hash)),
      balance: this.#parts.ledger.credit(accounts.user(row.name)),
      currency: row.currency,
    };
  }
}

interface UserRow {
  readonly name: UserName;
  readonly currency: Currency;
  readonly certificate_hash: Uint8Array | null;
}

function prepareUsers(database: SqliteDatabase) {
  return {
    insert: database.prepare<[string, string]>(
      'INSERT INTO user (name, currency) VALUES (?, ?) ON CONFLICT (name) DO NOTHING',
    ),
    one: database.prepare<[string], UserRow>(
      'SELECT name, currency, certificate_hash FROM user WHERE name = ?',
    ),
    all: database.prepare<[], UserRow>(
      'SELECT name, currency, certificate_hash FROM user ORDER BY name',
    ),
    total: database.prepare<
      [{ readonly name: string; readonly isAsset: number }],
      { readonly total: bigint }
    >('SELECT iif(@isAsset, debits, credits) AS total FROM account WHERE name = @name'),
    movement: database.prepare<
      [string, string],
      { readonly user: string; readonly amount: bigint }
    >('SELECT user, amount FROM cash_movement WHERE kind = ? AND reference = ?'),
    insertMovement: database.prepare<[string, string, string, bigint]>(
      'INSERT INTO cash_movement (kind, reference, user, amount) VALUES (?, ?, ?, ?)',
    ),
  };
}
