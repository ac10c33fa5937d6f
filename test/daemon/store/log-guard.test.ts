/** The log only grows, where somebody else than the store's own code writes (I34). */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sqliteBench } from '../../contract/sqlite-store-bench.ts';
import { addUser, alice, startMs } from '../../contract/store-fixture.ts';
import { rawDatabase, type RawDatabase } from '../../raw-database.ts';

type Bench = Awaited<ReturnType<typeof sqliteBench>>;
let bench: Bench;
let raw: RawDatabase;

beforeEach(async () => {
  bench = await sqliteBench();
  await addUser(bench.store, alice, 0n);
  const slips = Array.from({ length: 256 }, (_, i) => `slip ${i}`);
  await Promise.all(slips.map((slip) => bench.store.topUp(alice, 1n, slip, startMs)));
  raw = rawDatabase(bench.file);
});
afterEach(async () => {
  raw.close();
  await bench.close();
});

describe('the database itself', () => {
  it.each([
    ['leaf', 'changed', 'UPDATE log_leaf SET hash = zeroblob(32) WHERE number = 1'],
    ['leaf', 'changed', 'UPDATE log_leaf SET payment = NULL'],
    ['leaf', 'deleted', 'DELETE FROM log_leaf WHERE number = 256'],
    ['leaf', 'replaced', 'INSERT OR REPLACE INTO log_leaf SELECT * FROM log_leaf LIMIT 1'],
    ['tile', 'changed', 'UPDATE log_tile SET hash = zeroblob(32)'],
    ['tile', 'deleted', 'DELETE FROM log_tile'],
    ['tile', 'replaced', 'INSERT OR REPLACE INTO log_tile SELECT * FROM log_tile'],
  ])('lets no %s of the log be %s: %s', (what, done, sql) => {
    expect(() => raw.exec(sql)).toThrow(`a ${what} of the log is never ${done}`);
  });

  it.each([
    ['nothing', 'INSERT INTO log_leaf (hash) VALUES (zeroblob(32))'],
    [
      'a step that ends before it begins',
      'INSERT INTO log_leaf (hash, first_transfer, last_transfer) VALUES (zeroblob(32), 2, 1)',
    ],
    [
      'a step without an end',
      'INSERT INTO log_leaf (hash, first_transfer) VALUES (zeroblob(32), 2)',
    ],
  ])('takes no leaf for %s', (_what, sql) => {
    expect(() => raw.exec(sql)).toThrow(/CHECK constraint failed/);
  });
});
