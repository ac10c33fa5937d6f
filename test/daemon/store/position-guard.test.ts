/** How far an issuer is trusted, where somebody else than the store's own code writes (I8). */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SqliteDatabase } from '../../../daemon/store/database.ts';
import { migrate } from '../../../daemon/store/migrate.ts';
import { rawDatabase, type RawDatabase } from '../../raw-database.ts';

const migrations = join(import.meta.dirname, '../../../daemon/store/migrations');
let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-positions-'));
  file = join(folder, 'station.sqlite');
});
afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

async function migrated(): Promise<RawDatabase> {
  const database = new SqliteDatabase(file);
  migrate(database);
  await database.close();
  return rawDatabase(file);
}

describe('the database itself', () => {
  it('lets no position rise beyond its limit, and any one sink', async () => {
    const raw = await migrated();
    raw.exec("INSERT INTO position (issuer, amount, most) VALUES ('q1', 8, 5)");
    const set = (amount: number) => raw.exec(`UPDATE position SET amount = ${amount}`);
    expect(() => set(9)).toThrow(/a position beyond its limit/);
    set(6);
    expect(() => set(7)).toThrow(/a position beyond its limit/);
    set(3);
    set(5);
    expect(() => set(-1)).toThrow(/CHECK constraint failed/);
    raw.close();
  });

  it('of a station that ran before there were limits counts what is open and owed', async () => {
    const old = rawDatabase(file);
    old.pragma('foreign_keys = OFF');
    const names = readdirSync(migrations).sort().slice(0, 8);
    for (const name of names) old.exec(readFileSync(join(migrations, name), 'utf8'));
    old.pragma('user_version = 8');
    const insert = old.prepare<[string, string, string, number | null]>(
      `INSERT INTO payment (bucket, payment_id, coin_id, change, payer, payee, value, fee,
         quote_digest, delivery_deadline, resolution_deadline, stored_ms,
         role, state, issuer, decided_ms)
       VALUES (1, randomblob(32), randomblob(16), 1, 'a@q1', 'b@q3', 9, 4, randomblob(32), 1, 1, 1,
         ?, ?, ?, ?)`,
    );
    const states = [
      ['relay', 'held', 'q1', null],
      ['last', 'offered', 'q1', null],
      ['relay', 'undelivered', 'q1', 7],
      ['relay', 'forwarded', 'q5', null],
      ['issuer', 'relayed', 'q3', null],
    ] as const;
    for (const [role, state, issuer, decidedMs] of states) {
      insert.run(role, state, issuer, decidedMs);
    }
    old.exec(
      "INSERT INTO account (name, guarded, debits, credits) VALUES ('receivable:q1', 0, 9, 2)",
    );
    old.close();
    const raw = await migrated();
    expect(raw.prepare('SELECT issuer, amount FROM position ORDER BY issuer').all()).toEqual([
      { issuer: 'q1', amount: 15 },
      { issuer: 'q5', amount: 4 },
    ]);
    raw.close();
  });
});
