import { noblePrimitives } from '../../../applet-spec/noble-primitives.ts';
import {
  forged,
  nobody,
  number,
  settled,
  undelivered,
  unsettled,
  type Tampering,
} from './tampering.ts';

export const tamperedCoins: readonly Tampering[] = [
  [
    'a coin used twice',
    'q2',
    'coin-used-twice',
    nobody,
    (s, { settledToo }) => {
      s.execute('DROP INDEX payment_by_coin');
      const columns = `bucket, role, state, change, payer, payee, issuer, coin_id, value, fee,
        quote_digest, previous, next, delivery_deadline, resolution_deadline, stored_ms,
        decided_ms`;
      s.run(
        `INSERT INTO payment (payment_id, ${columns})
         SELECT ?, ${columns} FROM payment WHERE payment_id = ?`,
        noblePrimitives.sha256(forged),
        settledToo.paymentId,
      );
      s.execute(
        `INSERT INTO payment_body (number, payment, admission, certificate_hash, bill)
         SELECT (SELECT max(number) FROM payment), payment, admission, certificate_hash, bill
         FROM payment_body ORDER BY number DESC LIMIT 1`,
      );
      s.execute(
        `INSERT INTO payment_verdict (number, receipt)
         SELECT (SELECT max(number) FROM payment), receipt FROM payment_verdict WHERE receipt IS NOT
         NULL ORDER BY number DESC LIMIT 1`,
      );
    },
  ],
  [
    'a spent coin made unspent again',
    'q1',
    'coin-state',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run("UPDATE coin SET state = 'unspent', payment_id = NULL WHERE payment_id = ?", paymentId);
    },
  ],
  [
    'a coin of a higher value than was signed',
    'q1',
    'coin-differs-from-record',
    nobody,
    (s, { spare }) => {
      s.run('UPDATE coin SET value = 300 WHERE coin_id = ?', spare);
    },
  ],
  [
    'a coin that nobody bought',
    'q1',
    'exchange-sums-differ',
    nobody,
    (s, { spare }) => {
      s.run(
        "UPDATE coin SET order_id = x'00112233445566778899aabbccddeeff' WHERE coin_id = ?",
        spare,
      );
    },
  ],
  [
    'a spent coin that is gone',
    'q1',
    'coin-unknown',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run('DELETE FROM coin WHERE payment_id = ?', paymentId);
    },
  ],
  [
    'a burned coin that was replaced by two',
    'q1',
    'coin-replacement',
    nobody,
    (s, { spare }) => {
      s.run(
        `UPDATE coin SET replaces = (SELECT coin_id FROM coin WHERE state = 'spent' LIMIT 1)
         WHERE coin_id = ?`,
        spare,
      );
    },
  ],
  [
    'a coin given back and still in the pool',
    'q1',
    'refund-sums-differ',
    nobody,
    (s) => {
      s.run("UPDATE coin SET state = 'unspent' WHERE state = 'refunded'");
    },
  ],
  [
    'a purchase in other words, which the desk would not know again',
    'q1',
    'order-differs',
    nobody,
    (s) => {
      s.run("UPDATE coin_order SET content = ' ' || content WHERE kind = 'buy'");
    },
  ],
  [
    'a refund in other words',
    'q1',
    'order-differs',
    nobody,
    (s) => {
      s.run("UPDATE coin_order SET content = replace(content, '[', '[ ') WHERE kind = 'refund'");
    },
  ],
  [
    'a purchase of a number that nobody writes so',
    'q1',
    'order-differs',
    nobody,
    (s) => {
      s.run(`UPDATE coin_order SET content = '[["07",1]]' WHERE content = '[["7",1]]'`);
    },
  ],
  [
    'an account that is neither kept from being overdrawn nor not',
    'q1',
    'account-overdrawn',
    nobody,
    (s) => {
      s.run("UPDATE account SET guarded = 2 WHERE name = 'fees-earned'");
    },
  ],
];

export const tamperedBooks: readonly Tampering[] = [
  [
    'a deleted transfer',
    'q1',
    'transfers-differ',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run("DELETE FROM transfer WHERE kind = 'fee' AND reference = ? ", paymentId);
    },
  ],
  [
    'the last transfer deleted and the totals made to fit',
    'q3',
    'transfer-missing',
    unsettled,
    (s, { unsettled: { paymentId } }) => {
      s.run("UPDATE account SET debits = debits - 3 WHERE name = 'receivable:q1'");
      s.run("UPDATE account SET credits = credits - 3 WHERE name = 'fees-earned'");
      s.run('DELETE FROM transfer WHERE reference = ?', paymentId);
      s.run(
        'UPDATE transfer SET number = number - 1 WHERE number > (SELECT count(*) FROM transfer)',
      );
    },
  ],
  [
    'a transfer of a lower amount',
    'q2',
    'transfers-differ',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run('UPDATE transfer SET amount = 3 WHERE reference = ?', paymentId);
    },
  ],
  [
    'a transfer booked twice',
    'q2',
    'account-total-differs',
    nobody,
    (s) => {
      s.execute(`INSERT INTO transfer (debit, credit, amount, kind, reference, time_ms)
        SELECT debit, credit, amount, kind, reference, time_ms FROM transfer WHERE number = 1`);
    },
  ],
  [
    'a transfer turned round',
    'q2',
    'transfer-unexplained',
    nobody,
    (s) => {
      s.execute(`UPDATE transfer SET
        debit = (SELECT number FROM account WHERE name = 'fees-earned'),
        credit = (SELECT number FROM account WHERE name = 'receivable:q1') WHERE number = 1`);
    },
  ],
  [
    'a user account with more than its transfers',
    'q1',
    'trial-balance',
    nobody,
    (s) => {
      s.run("UPDATE account SET credits = credits + 100 WHERE name = 'user:alice@q1'");
    },
  ],
  [
    'an account overdrawn',
    'q1',
    'account-overdrawn',
    nobody,
    (s) => {
      s.run("UPDATE transfer SET amount = 1 WHERE kind = 'top-up'");
    },
  ],
  [
    'a purchase booked for less than its coins',
    'q1',
    'transfer-unexplained',
    nobody,
    (s) => {
      s.run("UPDATE transfer SET amount = 2 WHERE kind = 'buy'");
    },
  ],
  [
    'a deleted payment, its transfers left behind',
    'q3',
    'transfer-unexplained',
    nobody,
    (s, { unsettled: { paymentId } }) => {
      s.run(`DELETE FROM payment_body WHERE number = ${number}`, paymentId);
    },
  ],
];

export const tamperedSettlement: readonly Tampering[] = [
  [
    'a doubled claim',
    'q1',
    'claimed-twice',
    nobody,
    (s) => {
      s.execute('DROP INDEX claim_once');
      s.execute(`INSERT INTO claim (redemption_id, side, peer, sequence, payment, amount)
        SELECT randomblob(32), side, peer, sequence, payment, amount FROM claim LIMIT 1`);
    },
  ],
  [
    'a claim for more than the bill says',
    'q1',
    'claim-invalid',
    nobody,
    (s) => {
      s.run("UPDATE claim SET amount = amount + 1 WHERE side = 'theirs'");
    },
  ],
  [
    'a claim for an undelivered payment',
    'q1',
    'claim-invalid',
    undelivered,
    (s, { undelivered: { paymentId } }) => {
      s.run(
        `UPDATE claim SET payment = ${number} WHERE number = (SELECT min(number) FROM claim)`,
        paymentId,
      );
    },
  ],
  [
    'a dropped claim',
    'q3',
    'window-total-differs',
    nobody,
    (s) => {
      s.run('DELETE FROM claim WHERE number = (SELECT min(number) FROM claim)');
    },
  ],
  [
    'a window’s total changed',
    'q1',
    'agreement-invalid',
    nobody,
    (s) => {
      s.run("UPDATE settlement_window SET theirs_amount = 1 WHERE peer = 'q3'");
    },
  ],
  [
    'an agreement that the peer did not sign',
    'q1',
    'agreement-invalid',
    nobody,
    (s) => {
      s.run("UPDATE settlement_window SET agreement = x'3000' WHERE peer = 'q2'");
    },
  ],
  [
    'an agreed window called paid without a transfer',
    'q1',
    'transfer-missing',
    nobody,
    (s) => {
      s.run("DELETE FROM transfer WHERE kind = 'settlement-paid'");
    },
  ],
  [
    'a delivered payment forgotten before it was claimed',
    'q3',
    'position-differs',
    nobody,
    (s) => {
      s.run('UPDATE payment SET unclaimed = 0 WHERE unclaimed = 1');
    },
  ],
  [
    'an issuer trusted further than its limit',
    'q3',
    'position-differs',
    nobody,
    (s) => {
      s.run('UPDATE position SET amount = 0');
    },
  ],
];
