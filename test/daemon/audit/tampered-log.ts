/** Tampering with the log, and tampering that only the log tells of. */
import { signReceipt } from './toll-papers.ts';
import type { Sabotage } from './sabotage.ts';
import { nobody, number, settled, undelivered, type Tampering } from './tampering.ts';

const leafOf = `payment = ${number}`;

/** Rows of one table change their places. */
function swap(s: Sabotage, one: number, other: number): void {
  s.run('UPDATE log_leaf SET number = -1 WHERE number = ?', one);
  s.run('UPDATE log_leaf SET number = ? WHERE number = ?', one, other);
  s.run('UPDATE log_leaf SET number = ? WHERE number = -1', other);
}

export const tamperedLog: readonly Tampering[] = [
  [
    'a leaf changed',
    'q1',
    'leaf-differs',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run(`UPDATE log_leaf SET hash = zeroblob(32) WHERE ${leafOf}`, paymentId);
    },
  ],
  [
    'the last leaf deleted',
    'q2',
    'leaf-missing',
    nobody,
    (s) => {
      s.run('DELETE FROM log_leaf WHERE number = (SELECT max(number) FROM log_leaf)');
    },
  ],
  [
    'the leaf of a payment’s end deleted, and another put into its place',
    'q3',
    'leaf-missing',
    undelivered,
    (s, { undelivered: { paymentId } }) => {
      const gone = `(SELECT number FROM log_leaf WHERE ${leafOf})`;
      s.run(
        `UPDATE log_leaf SET payment = NULL, (hash, first_transfer, last_transfer) =
           (SELECT hash, first_transfer, last_transfer FROM log_leaf ORDER BY number DESC LIMIT 1)
         WHERE number = ${gone}`,
        paymentId,
      );
    },
  ],
  [
    'a posting dropped with its leaf, and the log closed up behind it',
    'q2',
    'leaf-missing',
    nobody,
    (s) => {
      const last = '(SELECT max(number) FROM transfer)';
      s.run(`DELETE FROM log_leaf WHERE last_transfer = ${last} - 1`);
      s.run(`DELETE FROM transfer WHERE number = ${last} - 1`);
      s.run(`UPDATE log_leaf SET number = number - 1
             WHERE number = (SELECT max(number) FROM log_leaf)`);
    },
  ],
  ['two leaves in each other’s place', 'q2', 'leaf-twice', nobody, (s) => swap(s, 3, 5)],
  [
    'the end of a payment told twice',
    'q1',
    'leaf-twice',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run(
        `INSERT INTO log_leaf (hash, payment) SELECT hash, payment FROM log_leaf WHERE ${leafOf}`,
        paymentId,
      );
    },
  ],
  [
    'a leaf for nothing',
    'q1',
    'leaf-differs',
    nobody,
    (s) => {
      s.execute('INSERT INTO log_leaf (hash) VALUES (zeroblob(32))');
    },
  ],
  [
    'a tile changed',
    'q2',
    'tile-differs',
    nobody,
    (s) => {
      s.run('UPDATE log_tile SET hash = zeroblob(32) WHERE level = 1 AND number = 1');
    },
  ],
  [
    'a tile deleted',
    'q2',
    'tile-differs',
    nobody,
    (s) => {
      s.run('DELETE FROM log_tile WHERE level = 1');
    },
  ],
  [
    'a tile over leaves that never were',
    'q2',
    'tile-differs',
    nobody,
    (s) => {
      s.execute('INSERT INTO log_tile (level, number, hash) VALUES (2, 1, zeroblob(32))');
    },
  ],
];

export const tamperedHistory: readonly Tampering[] = [
  [
    'a receipt that the last station signed anew, a minute later',
    'q2',
    'leaf-differs',
    undelivered,
    (s, { room, undelivered: { paymentId, receipt } }) => {
      const { documentKey } = room.station('q3');
      const about = { ...receipt.body, time: receipt.body.time + 60n };
      const { bytes } = signReceipt(about, documentKey, { reason: 'payee-absent' });
      s.run(`UPDATE payment_verdict SET receipt = ? WHERE number = ${number}`, bytes, paymentId);
    },
  ],
  [
    'a posting given another time, with its payment',
    'q2',
    'leaf-differs',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run('UPDATE transfer SET time_ms = time_ms + 1 WHERE reference = ?', paymentId);
      s.run('UPDATE payment SET decided_ms = decided_ms + 1 WHERE payment_id = ?', paymentId);
    },
  ],
  [
    'a posting given another time than its payment',
    'q2',
    'leaf-differs',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run('UPDATE transfer SET time_ms = time_ms + 1 WHERE reference = ?', paymentId);
    },
  ],
];
