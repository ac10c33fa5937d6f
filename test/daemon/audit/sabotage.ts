/** Tampering with a copy of a station's database, as somebody with a shell there could. */
import { join } from 'node:path';
import { toHex } from '../../../applet-spec/bytes.ts';
import { payment as paymentKind, type Payment } from '../../../applet-spec/payment.ts';
import { quote as quoteKind, type BillLine } from '../../../applet-spec/quote.ts';
import type { AuditReport } from '../../../daemon/audit/audit.ts';
import { rawDatabase, type RawDatabase } from '../../raw-database.ts';
import type { TollRoom } from './toll-room.ts';

export type Value = Uint8Array | bigint | number | string | null;

export interface Column {
  readonly table: string;
  readonly column: string;
  readonly type: string;
}

/** A database whose guards are off. */
export class Sabotage {
  readonly #database: RawDatabase;

  constructor(database: RawDatabase) {
    this.#database = database;
  }

  run(sql: string, ...values: readonly Value[]): void {
    const { changes } = this.#database.prepare(sql).run(...values);
    if (changes === 0) throw new Error(`nothing was sabotaged by: ${sql}`);
  }

  execute(sql: string): void {
    this.#database.exec(sql);
  }

  /** Of every table of the program's. */
  columns(): readonly Column[] {
    return this.#database
      .prepare<[], Column>(
        `SELECT m.name AS "table", c.name AS "column", c.type AS type
         FROM sqlite_master m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'`,
      )
      .all();
  }

  /** Text that tells one row of a table from the others, as SQL. */
  isRow(table: string): string {
    const keys = this.#database
      .prepare<[string], { readonly name: string }>(
        'SELECT name FROM pragma_table_info(?) WHERE pk > 0',
      )
      .all(table);
    // A table without a key of its own has a row number.
    const parts = keys.length === 0 ? ['rowid'] : keys.map(({ name }) => name);
    return parts.map((name) => `quote(${name})`).join(" || ' ' || ");
  }

  rowIds(table: string, where: string): readonly string[] {
    return this.#database
      .prepare<[], { readonly id: string }>(
        `SELECT ${this.isRow(table)} AS id FROM ${table} WHERE ${where} ORDER BY id`,
      )
      .all()
      .map(({ id }) => id);
  }

  /** What stands in a column of this row, and in those of the others. */
  valuesOf(
    { table, column }: Column,
    row: string,
  ): { readonly value: Value; readonly others: readonly Value[] } {
    const found = this.#database
      .prepare<[], { readonly id: string; readonly value: Value }>(
        `SELECT ${this.isRow(table)} AS id, ${column} AS value FROM ${table}`,
      )
      .all();
    const value = found.find(({ id }) => id === row)?.value ?? null;
    return { value, others: found.map((one) => one.value) };
  }

  change({ table, column }: Column, row: string, value: Value): void {
    this.run(`UPDATE ${table} SET ${column} = ? WHERE ${this.isRow(table)} = ?`, value, row);
  }

  /** Rewrites a stored payment's bytes. */
  payment(paymentId: Uint8Array, change: (before: Payment) => Payment): void {
    const where = 'number = (SELECT number FROM payment WHERE payment_id = ?)';
    const row = this.#database
      .prepare<[Uint8Array], { readonly payment: Uint8Array }>(
        `SELECT payment FROM payment_body WHERE ${where}`,
      )
      .get(paymentId);
    if (row === undefined) throw new Error('no such payment to sabotage');
    const changed = paymentKind.encode(change(paymentKind.decode(new Uint8Array(row.payment))));
    this.run(`UPDATE payment_body SET payment = ? WHERE ${where}`, changed, paymentId);
  }

  bill(paymentId: Uint8Array, change: (bill: readonly BillLine[]) => readonly BillLine[]): void {
    this.payment(paymentId, (before) => {
      const quote = { ...before.quote, bill: change(before.quote.bill) };
      return { ...before, quote, quoteBytes: quoteKind.body.encode(quote) };
    });
  }
}

/** What `read` sees in a station's database. */
export function readOf<T>(room: TollRoom, station: string, read: (reader: Sabotage) => T): T {
  const database = rawDatabase(room.station(station).file, { readonly: true });
  database.defaultSafeIntegers(true);
  try {
    return read(new Sabotage(database));
  } finally {
    database.close();
  }
}

/** The audit of a copy of `station`'s database after `change`. */
export async function auditAfter(
  room: TollRoom,
  station: string,
  change: (sabotage: Sabotage) => void,
): Promise<AuditReport> {
  const file = join(room.folder, `${toHex(room.entropy.randomBytes(8))}.sqlite`);
  const original = rawDatabase(room.station(station).file);
  original.prepare('VACUUM INTO ?').run(file);
  original.close();
  const copy = rawDatabase(file);
  copy.defaultSafeIntegers(true);
  copy.pragma('foreign_keys = OFF');
  copy.pragma('ignore_check_constraints = ON');
  for (const { name } of triggersOf(copy)) copy.exec(`DROP TRIGGER ${name}`);
  change(new Sabotage(copy));
  copy.close();
  return room.audit(station, file);
}

function triggersOf(database: RawDatabase): { readonly name: string }[] {
  return database
    .prepare<[], { readonly name: string }>("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    .all();
}
