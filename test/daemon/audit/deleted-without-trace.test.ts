/** I36 where everything that belongs to a payment is gone: only a neighbour's word tells of it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WitnessRoom } from '../witness/witness-room.ts';
import type { PaidPayment } from './toll-papers.ts';
import { auditAfter, type Sabotage } from './sabotage.ts';

let room: WitnessRoom;
let newest: PaidPayment;
beforeAll(async () => {
  room = await WitnessRoom.open();
  await room.room.pay();
  newest = await room.room.pay();
  await room.checkpoints();
});
afterAll(() => room.close());

/** At q3, which earned 3 by it: no row of the payment is left, and every sum fits. */
function deleteNewest(s: Sabotage): void {
  const { paymentId } = newest;
  const number = '(SELECT number FROM payment WHERE payment_id = ?)';
  s.run('DELETE FROM log_leaf WHERE number = (SELECT max(number) FROM log_leaf)');
  s.run('DELETE FROM transfer WHERE reference = ?', paymentId);
  s.run("UPDATE account SET debits = debits - 3 WHERE name = 'receivable:q1'");
  s.run("UPDATE account SET credits = credits - 3 WHERE name = 'fees-earned'");
  s.run("UPDATE position SET amount = amount - 3 WHERE issuer = 'q1'");
  for (const table of ['payment_body', 'payment_verdict']) {
    s.run(`DELETE FROM ${table} WHERE number = ${number}`, paymentId);
  }
  s.run('DELETE FROM payment WHERE payment_id = ?', paymentId);
  s.run('UPDATE counter SET value = (SELECT max(change) FROM payment)');
}

describe('of the newest payment, deleted with all that belongs to it, an audit', () => {
  it('says nothing where nobody witnessed it: the books are whole', async () => {
    const { findings } = await auditAfter(room.room, 'q3', (s) => {
      deleteNewest(s);
      s.run('DELETE FROM checkpoint');
      s.run('DELETE FROM cosigned');
    });
    expect(findings).toEqual([]);
  });

  it('finds that the log is shorter than the station signed', async () => {
    const { findings } = await auditAfter(room.room, 'q3', (s) => {
      deleteNewest(s);
      s.run('DELETE FROM cosigned');
    });
    const detail = 'the checkpoint over 2 leaves: the log has 1 leaves, 2 were signed';
    expect(findings).toEqual([{ code: 'log-cut-short', detail, party: 'q3' }]);
  });

  it('finds that the log is shorter than each neighbour cosigned', async () => {
    const { findings } = await auditAfter(room.room, 'q3', (s) => {
      deleteNewest(s);
      s.run('DELETE FROM checkpoint');
    });
    expect(findings.map(({ code, detail }) => `${code}: ${detail}`)).toEqual([
      'log-cut-short: what q1 cosigned: the log has 1 leaves, 2 were signed',
      'log-cut-short: what q2 cosigned: the log has 1 leaves, 2 were signed',
    ]);
  });
});

describe('an audit finds in tampered checkpoints', () => {
  it.each([
    ['one over another root', 'checkpoint-invalid', "UPDATE checkpoint SET bytes = x'3000'"],
    [
      'one of another station',
      'checkpoint-invalid',
      "UPDATE checkpoint SET bytes = (SELECT checkpoint FROM witnessed WHERE station = 'q1')",
    ],
    ['one under another size', 'checkpoint-invalid', 'UPDATE checkpoint SET size = 1'],
    ['one under less than no leaves', 'checkpoint-invalid', 'UPDATE checkpoint SET size = -1'],
    [
      'one of a neighbour under another size',
      'checkpoint-invalid',
      "UPDATE witnessed SET size = size + 1 WHERE station = 'q1'",
    ],
    [
      'one of a neighbour under another generation of its log',
      'checkpoint-invalid',
      "UPDATE witnessed SET generation = 1 WHERE station = 'q1'",
    ],
    [
      'one of a neighbour before its first log',
      'checkpoint-invalid',
      "UPDATE witnessed SET generation = -1 WHERE station = 'q1'",
    ],
    [
      'a cosignature of another neighbour',
      'checkpoint-invalid',
      `UPDATE cosigned SET cosignature = (SELECT cosignature FROM cosigned WHERE witness = 'q1')
       WHERE witness = 'q2'`,
    ],
    [
      'a checkpoint of a neighbour that this station did not cosign',
      'checkpoint-invalid',
      "UPDATE witnessed SET cosignature = x'3000' WHERE station = 'q1'",
    ],
  ])('%s (%s)', async (_what, code, sql) => {
    const { findings } = await auditAfter(room.room, 'q3', (s) => s.run(sql));
    expect(findings.map((one) => one.code)).toEqual([code]);
  });

  it('a log made anew, as if a payment had ended a moment later', async () => {
    const { findings } = await auditAfter(room.room, 'q3', (s) => {
      s.run('UPDATE transfer SET time_ms = time_ms + 1 WHERE reference = ?', newest.paymentId);
      s.run(
        'UPDATE payment SET decided_ms = decided_ms + 1 WHERE payment_id = ?',
        newest.paymentId,
      );
      s.run('DELETE FROM log_leaf');
      // The program makes it, as for a database that is older than logs.
      s.execute("INSERT INTO meta (name, value) VALUES ('log-awaits-what-was-before', x'01')");
    });
    expect(findings.map(({ code, detail }) => `${code}: ${detail}`)).toEqual([
      'checkpoint-differs: what q1 cosigned is of another log than this one',
      'checkpoint-differs: what q2 cosigned is of another log than this one',
      'checkpoint-differs: the checkpoint over 2 leaves is of another log than this one',
    ]);
  });
});
