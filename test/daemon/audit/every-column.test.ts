/**
 * I36, column by column: whatever is changed in a table that an audit reads is found, and nothing
 * that stands in a row ends the audit. What is not checked, ARCHITECTURE lists with its reason.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { eventfulHistory } from './eventful-history.ts';
import { auditAfter, readOf, type Column, type Sabotage, type Value } from './sabotage.ts';
import { signReceipt } from './toll-papers.ts';
import { alice } from './toll-room.ts';

const history = await eventfulHistory();
const { room, settled } = history;
await addRareRows();
afterAll(() => room.close());

/** `table` or `table.column`, from the first column of the table in ARCHITECTURE. */
const unchecked = new Set(
  [...architecture().matchAll(/`([a-z_]+(?:\.[a-z_]+)?)`/g)].map(([, name]) => name),
);

/** Their rows are tampered with in `deleted-without-trace.test.ts` and in `tampered-log.ts`. */
const elsewhere = new Set(['checkpoint', 'cosigned', 'witnessed', 'two_logs', 'declaration']);

/** Nothing else tells that the last of these was ever there. */
const unseenWhenGone = new Set(['announcement', 'evidence', 'tombstone']);

/** Where only some rows can be checked: which, and ARCHITECTURE says why. */
const checkedWhere: Readonly<Record<string, string>> = {
  certificate: 'hash IN (SELECT certificate_hash FROM payment_body)',
  'coin_order.time_ms': "kind = 'buy'",
  'counter.value': "name = 'payment-change'",
  'counter.name': "name = 'payment-change'",
  outbox: 'rank = 1',
  'payment.card_concluded': "decided_ms IS NULL OR role = 'relay'",
  'payment.stored_ms': "role = 'issuer' AND state <> 'refused'",
  payment_body: "number NOT IN (SELECT number FROM payment WHERE state = 'refused')",
  'position.issuer': 'amount > 0',
  user: "EXISTS (SELECT 1 FROM account a WHERE a.name = 'user:' || user.name)",
};

const flags = new Set(['guarded', 'card_concluded', 'unclaimed']);

/** At issuer, relay and last station; elsewhere one of them is enough. */
const differsByRole = /^(payment|claim|settlement_window)/;

const stations = ['q1', 'q2', 'q3'];
const columns = readOf(room, 'q1', (s) => s.columns()).filter(
  ({ table, column }) =>
    !unchecked.has(table) && !unchecked.has(`${table}.${column}`) && !elsewhere.has(table),
);
const named = columns.map((one) => [`${one.table}.${one.column}`, one] as const);
const tables = [...new Set(columns.map(({ table }) => table))];

describe('an audit finds', () => {
  it.each(stations)('nothing in what %s has, before anything is changed', async (station) => {
    expect((await room.audit(station)).findings).toEqual([]);
  });

  it.each(named)('a changed %s', async (_name, one) => {
    let changed = 0;
    for (const station of stations) {
      const where = checkedWhere[`${one.table}.${one.column}`] ?? checkedWhere[one.table] ?? '1';
      const rows = readOf(room, station, (s) => s.rowIds(one.table, where));
      const row = rows[(columns.indexOf(one) * 7) % rows.length];
      if (row === undefined || (changed > 0 && !differsByRole.test(one.table))) continue;
      const { findings } = await auditAfter(room, station, (s) => {
        const { value, others } = s.valuesOf(one, row);
        s.change(one, row, anotherValue(one, value, others));
      });
      expect(findings, `${one.table} ${row} at ${station}`).not.toEqual([]);
      for (const { party, paymentId } of findings) expect(party ?? paymentId).toBeDefined();
      changed++;
    }
    expect(changed).toBeGreaterThan(0);
  });

  it.each(named.filter(([, { column }]) => flags.has(column)))(
    'a %s that is neither 0 nor 1',
    async (_name, { table, column }) => {
      for (const station of stations) {
        const rows = readOf(room, station, (s) => s.rowIds(table, '1'));
        for (const row of rows.slice(0, 8)) {
          const { findings } = await auditAfter(room, station, (s) => {
            s.change({ table, column, type: 'INTEGER' }, row, 2n);
          });
          expect(findings, `${table} ${row} at ${station}`).not.toEqual([]);
        }
      }
    },
  );

  it.each(tables.filter((table) => !unseenWhenGone.has(table)))(
    'a row that is gone from the table %s',
    async (table) => {
      const where = checkedWhere[table] ?? (table === 'position' ? 'amount > 0' : '1');
      const station = stations.find(
        (name) => readOf(room, name, (s) => s.rowIds(table, where)).length > 0,
      );
      const { findings } = await auditAfter(room, station ?? 'none', (s) => {
        const [row] = s.rowIds(table, where);
        s.run(`DELETE FROM ${table} WHERE ${s.isRow(table)} = ?`, row ?? null);
      });
      expect(findings).not.toEqual([]);
    },
  );
});

describe('an audit goes on behind', () => {
  /** The findings of the untouched payments behind the bad row show that it did. */
  const behind = (s: Sabotage): void => {
    s.run('UPDATE payment SET fee = fee + 1 WHERE number = (SELECT max(number) FROM payment)');
  };
  const first = 'number = (SELECT min(number) FROM payment)';
  const newest = 'number = (SELECT max(number) FROM revocation_list)';

  it.each([
    ['a payment without its content', `DELETE FROM payment_body WHERE ${first}`],
    ['a bill that is none', `UPDATE payment_body SET bill = 'q3=3x' WHERE ${first}`],
    ['a payment of fewer than no fees', `UPDATE payment SET fee = -1 WHERE ${first}`],
    ['a payment of all money', `UPDATE payment SET fee = 9223372036854775000, unclaimed = 1`],
    ['an ID of no bytes', `UPDATE payment SET payment_id = x'' WHERE ${first}`],
    ['a role that is none', `UPDATE payment SET role = 'idler' WHERE ${first}`],
    ['a claim for a payment that is gone', 'UPDATE claim SET payment = 99 WHERE number = 1'],
    ['a claim on a side that is none', "UPDATE claim SET side = 'both' WHERE number = 1"],
    ['a window of less than nothing', 'UPDATE settlement_window SET theirs_amount = -1'],
    ['a station that is none', "UPDATE settlement_window SET peer = 'Q ' WHERE peer = 'q2'"],
    ['cash of less than nothing', 'UPDATE cash_movement SET amount = -1'],
    ['a coin of less than nothing', 'UPDATE coin SET value = -1 WHERE number = 1'],
    ['a coin without an ID', "UPDATE coin SET coin_id = x'' WHERE number = 1"],
    ['an order for too much', `UPDATE coin_order SET content = '[["1",99999999999]]'`],
    ['an order of a kind that is none', "UPDATE coin_order SET kind = 'gift'"],
    ['a user whose name is none', "UPDATE user SET name = 'nobody' WHERE name = 'alice@q1'"],
    ['evidence of nothing', "UPDATE evidence SET bytes = x''"],
    ['evidence before all numbers', 'UPDATE evidence SET number = -1'],
    ['a list before all numbers', `UPDATE revocation_list SET number = -1 WHERE ${newest}`],
    ['a tombstone of no payment', "UPDATE tombstone SET payment_id = x''"],
    ['a tombstone of nothing', "UPDATE tombstone SET receipt = x''"],
    ['an announcement of nothing', "UPDATE announcement SET bytes = x''"],
    ['a leaf of nothing', "UPDATE log_leaf SET hash = x'' WHERE number = 1"],
  ])('%s', async (_what, sql) => {
    const { findings } = await auditAfter(room, 'q1', (s) => {
      s.run(sql);
      behind(s);
    });
    const alone = await auditAfter(room, 'q1', behind);
    expect(findings.length).toBeGreaterThan(alone.findings.length);
    expect(findings.map(({ code }) => code)).toContain('row-differs');
  });

  it('an undecided payment without its content, which it names', async () => {
    const { paymentId } = history.held;
    const { findings } = await auditAfter(room, 'q3', (s) => {
      const number = '(SELECT number FROM payment WHERE payment_id = ?)';
      s.run(`DELETE FROM payment_body WHERE number = ${number}`, paymentId);
    });
    const detail = 'a payment that is held: its content is not there';
    expect(findings).toEqual([{ code: 'undecodable', detail, paymentId, party: 'q3' }]);
  });

  it('a peer of which nothing is left but one claim', async () => {
    const { findings } = await auditAfter(room, 'q1', (s) => {
      s.run("UPDATE claim SET peer = 'q9' WHERE number = 1");
    });
    const words = findings.map(({ detail }) => detail);
    expect(words.some((one) => one.startsWith('settlement with q9: claim '))).toBe(true);
  });
});

/** An exchange under way, a tombstone and evidence: what the history alone has not. */
async function addRareRows(): Promise<void> {
  const { store, mint } = room.station('q1');
  const orderId = room.entropy.randomBytes(16);
  const replacements = [mint.one(10n), mint.one(20n)];
  const lines = [10n, 20n].map((value) => ({ value, count: 1 }));
  const order = { orderId, user: alice, operation: 'exchange', lines, replacements } as const;
  const outcome = await store.retire({ ...order, coinIds: [history.spare], nowMs: room.nowMs });
  expect(outcome).toBe('created');
  for (let i = 0; i < 2; i++) await room.publishList();
  for (const { name, store: at, documentKey } of room.stations) {
    const paymentId = room.entropy.randomBytes(32);
    const about = { paymentId, station: name, time: room.nowSeconds };
    const { bytes } = signReceipt(about, documentKey, { reason: 'payee-absent' });
    await at.entomb([{ paymentId, receipt: bytes }]);
    await at.putEvidence([{ paymentId: settled.paymentId, bytes: settled.receipt.bytes }]);
  }
}

function anotherValue({ column, type }: Column, value: Value, others: readonly Value[]): Value {
  if (flags.has(column)) return value === 0n ? 1n : 0n;
  if (value instanceof Uint8Array) {
    const changed = Uint8Array.from(value);
    const middle = changed.length >> 1;
    changed[middle] = (changed[middle] ?? 0) ^ 1;
    return changed;
  }
  if (typeof value === 'string') return `${value}x`;
  if (value !== null) return others.reduce<bigint>((most, one) => max(most, one), 0n) + 7n;
  return type === 'INTEGER' ? 1n : type === 'TEXT' ? 'x' : new Uint8Array(32).fill(1);
}

function max(a: bigint, b: Value): bigint {
  return typeof b === 'bigint' && b > a ? b : a;
}

function architecture(): string {
  const root = join(import.meta.dirname, '../../..');
  const page = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
  const [, behind = ''] = page.split('\n## What an audit does not check\n');
  const [section = ''] = behind.split('\n## ');
  const rows = section.split('\n').filter((line) => line.startsWith('| `'));
  return rows.map((line) => line.split('|')[1] ?? '').join('\n');
}
