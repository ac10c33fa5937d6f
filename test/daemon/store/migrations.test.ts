import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { SqliteDatabase } from '../../../daemon/store/database.ts';
import { migrate } from '../../../daemon/store/migrate.ts';
import { rawDatabase } from '../../raw-database.ts';

const folder = join(import.meta.dirname, '../../../daemon/store/migrations');
const files = readdirSync(folder)
  .filter((name) => name.endsWith('.sql'))
  .sort();

/** `IN ('a', 'b', 'c')`: two words are compared, three are looked up in a table. */
const tableOfWords = /\bIN\s*\((?:\s*'[^']*'\s*,){2}/i;

describe('rules in the database', () => {
  // SQLite builds that table anew each time a CHECK, a trigger or a partial index is evaluated:
  // a dozen page caches for one change of state, which made half of the cost of a payment's rows.
  it.each(files)('%s builds no table to compare words', (name) => {
    const sql = readFileSync(join(folder, name), 'utf8').replaceAll(/--.*$/gm, '');
    expect(tableOfWords.exec(sql)?.[0]).toBeUndefined();
  });

  it('would be found breaking the rule', () => {
    expect(tableOfWords.test("CHECK (state IN ('open', 'done', 'cancelled'))")).toBe(true);
    expect(tableOfWords.test("CHECK (side IN ('ours', 'theirs'))")).toBe(false);
  });
});

describe('a database of an earlier program', () => {
  /** What stands in a database that had the first of these files, and then the rest. */
  async function migratedFrom(first: number): Promise<unknown[]> {
    const home = mkdtempSync(join(tmpdir(), 'keytoll-migrations-'));
    const file = join(home, 'station.sqlite');
    try {
      const old = rawDatabase(file);
      for (const name of files.slice(0, first)) old.exec(readFileSync(join(folder, name), 'utf8'));
      old.pragma(`user_version = ${first}`);
      old.close();
      const database = new SqliteDatabase(file);
      migrate(database);
      await database.close();
      const now = rawDatabase(file, { readonly: true });
      const rows = now.prepare('SELECT type, name, sql FROM sqlite_master ORDER BY name').all();
      now.close();
      return rows;
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  }

  it.each(files.map((name, i) => [name, i] as const))('before %s is as a new one', async (_, i) => {
    expect(await migratedFrom(i)).toEqual(await migratedFrom(0));
  });
});
