/** I36: each kind of tampering with a station's database is found, and the payment is named. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../../../applet-spec/bytes.ts';
import { eventfulHistory, type History } from './eventful-history.ts';
import { auditAfter } from './sabotage.ts';
import { forgeries, thefts } from './tampered-by-thieves.ts';
import { tamperedBooks, tamperedCoins, tamperedSettlement } from './tampered-books.ts';
import { tamperedHistory, tamperedLog } from './tampered-log.ts';
import { tamperedPayments, tamperedWords } from './tampered-payments.ts';

let history: History;
beforeAll(async () => {
  history = await eventfulHistory();
});
afterAll(() => history.room.close());

describe.each([
  ['payments', tamperedPayments],
  ['words', tamperedWords],
  ['coins', tamperedCoins],
  ['books', tamperedBooks],
  ['settlement', tamperedSettlement],
  ['books that fit', thefts],
  ['papers', forgeries],
  ['logs', tamperedLog],
  ['history', tamperedHistory],
] as const)('in tampered %s an audit finds', (_kind, cases) => {
  it.each(cases)('%s (at %s: %s)', async (_what, station, code, subject, change) => {
    const report = await auditAfter(history.room, station, (sabotage) => {
      change(sabotage, history);
    });
    const paid = subject(history);
    const found = report.findings.filter((finding) => finding.code === code);
    expect(report.findings.map((finding) => finding.code)).toContain(code);
    if (paid === undefined) return;
    expect(
      found.some(({ paymentId, detail }) =>
        paymentId === undefined
          ? detail.includes(toHex(paid.paymentId))
          : toHex(paymentId) === toHex(paid.paymentId),
      ),
    ).toBe(true);
  });
});

describe('an audit of a database that is older than logs', () => {
  it.each(['q1', 'q2', 'q3'])('finds a leaf for everything that was before at %s', async (name) => {
    const { findings } = await auditAfter(history.room, name, (sabotage) => {
      const tables = ['log_leaf', 'log_tile', 'checkpoint', 'cosigned', 'witnessed', 'two_logs'];
      const recovery = ['recovery_peer', 'recovery', 'restored_payment', 'doubtful_payment'];
      const later = [
        'station_certificate',
        'declaration',
        'quarantine',
        ...recovery,
        'revocation_list',
      ];
      for (const table of [...tables, ...later]) sabotage.execute(`DROP TABLE ${table}`);
      sabotage.execute('ALTER TABLE card DROP COLUMN station_key');
      sabotage.execute('ALTER TABLE payment DROP COLUMN content_hash');
      sabotage.execute('DROP INDEX own_announcement_unused');
      sabotage.execute('ALTER TABLE own_announcement DROP COLUMN used');
      sabotage.execute('ALTER TABLE own_announcement DROP COLUMN time');
      sabotage.execute('PRAGMA user_version = 10');
    });
    expect(findings).toEqual([]);
  });
});

describe('an audit of an untouched copy', () => {
  it.each(['q1', 'q2', 'q3'])('finds nothing at %s', async (station) => {
    const { findings } = await auditAfter(history.room, station, () => {});
    expect(findings).toEqual([]);
  });
});
