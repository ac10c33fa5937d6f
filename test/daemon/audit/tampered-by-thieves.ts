/** Tampering that makes every sum fit: somebody inside who knows the books, and wants money. */
import { payment as paymentKind } from '../../../applet-spec/payment.ts';
import { announcementName } from '../../../daemon/network/directory.ts';
import { announcement } from '../../../daemon/wire/announcement.ts';
import { wireMessage } from '../../../daemon/wire/wire-message.ts';
import { signReceipt } from './toll-papers.ts';
import { primitives } from './toll-room.ts';
import type { Sabotage } from './sabotage.ts';
import {
  forged,
  held,
  lateReceipt,
  nobody,
  number,
  settled,
  undelivered,
  unsettled,
  type Tampering,
} from './tampering.ts';

/** More on one side of an account, so that its total fits its transfers again. */
function makeFit(s: Sabotage, account: string, side: 'debits' | 'credits', by: number): void {
  s.run(`UPDATE account SET ${side} = ${side} + ? WHERE name = ?`, by, account);
}

/** An account that nothing was booked on yet. */
function openAccount(s: Sabotage, name: string): void {
  s.run('INSERT INTO account (name, guarded) VALUES (?, 1)', name);
}

const account = (name: string): string => `(SELECT number FROM account WHERE name = '${name}')`;

export const thefts: readonly Tampering[] = [
  [
    'a top-up raised, with its account and the cash',
    'q1',
    'transfers-differ',
    nobody,
    (s) => {
      s.run(
        `UPDATE transfer SET amount = amount + 50
         WHERE number = (SELECT min(number) FROM transfer WHERE kind = 'top-up')`,
      );
      makeFit(s, 'cash', 'debits', 50);
      makeFit(s, 'user:alice@q1', 'credits', 50);
    },
  ],
  [
    'a top-up credited to another user',
    'q1',
    'transfers-differ',
    nobody,
    (s) => {
      openAccount(s, 'user:bob@q1');
      s.run(
        `UPDATE transfer SET credit = ${account('user:bob@q1')}
         WHERE number = (SELECT max(number) FROM transfer WHERE kind = 'top-up')`,
      );
    },
  ],
  [
    'a pay-out that nobody asked for',
    'q1',
    'transfer-unexplained',
    nobody,
    (s) => {
      s.execute(`INSERT INTO transfer (debit, credit, amount, kind, reference, time_ms)
        VALUES (${account('user:alice@q1')}, ${account('cash')}, 1, 'pay-out', x'626f6f', 0)`);
      makeFit(s, 'user:alice@q1', 'debits', 1);
      makeFit(s, 'cash', 'credits', 1);
    },
  ],
  [
    'money that came in and was not booked',
    'q1',
    'transfer-missing',
    nobody,
    (s) => {
      s.run(
        `INSERT INTO cash_movement (kind, reference, user, amount)
         VALUES ('top-up', 'slip', 'alice@q1', 5)`,
      );
    },
  ],
  [
    'an account overdrawn for a while, and filled again',
    'q1',
    'account-overdrawn',
    nobody,
    (s) => {
      // The first purchase comes before the money for it.
      s.run('UPDATE transfer SET number = -1 WHERE number = 1');
      s.run('UPDATE transfer SET number = 1 WHERE number = 2');
      s.run('UPDATE transfer SET number = 2 WHERE number = -1');
    },
  ],
  [
    'an unspent coin moved to another user',
    'q1',
    'coin-owner',
    nobody,
    (s, { spare }) => {
      s.run("UPDATE coin SET owner = 'bob@q1' WHERE coin_id = ?", spare);
    },
  ],
  [
    'a spent coin moved to another user',
    'q1',
    'coin-owner',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run("UPDATE coin SET owner = 'bob@q1' WHERE payment_id = ?", paymentId);
    },
  ],
  [
    'a replacement given to another user',
    'q1',
    'coin-replacement',
    nobody,
    (s) => {
      s.run(
        `UPDATE coin SET owner = 'bob@q1' WHERE coin_id =
          (SELECT coin_id FROM coin WHERE replaces IS NOT NULL LIMIT 1)`,
      );
    },
  ],
  [
    'a refund for more than the coin was worth',
    'q1',
    'refund-sums-differ',
    nobody,
    (s) => {
      s.run("UPDATE transfer SET amount = amount + 3 WHERE kind = 'refund'");
      makeFit(s, 'coins-outstanding', 'debits', 3);
      makeFit(s, 'user:alice@q1', 'credits', 3);
    },
  ],
  [
    'a refund credited to another user',
    'q1',
    'refund-sums-differ',
    nobody,
    (s) => {
      openAccount(s, 'user:bob@q1');
      s.run(`UPDATE transfer SET credit = ${account('user:bob@q1')} WHERE kind = 'refund'`);
    },
  ],
  [
    'a coin that expired before its time',
    'q1',
    'booked-too-early',
    nobody,
    (s) => {
      s.run("UPDATE transfer SET time_ms = 0 WHERE kind = 'expiry'");
    },
  ],
  [
    'a transfer dated into another month',
    'q1',
    'times-broken',
    nobody,
    (s) => {
      s.run(
        `UPDATE transfer SET time_ms = time_ms - 2600000000
         WHERE number = (SELECT max(number) FROM transfer WHERE kind = 'fee')`,
      );
    },
  ],
  [
    'a user taken off the books, whose coins are still there',
    'q1',
    'coin-owner',
    nobody,
    (s) => {
      s.run("DELETE FROM user WHERE name = 'alice@q1'");
    },
  ],
  [
    'a payer made whole before the resolution deadline',
    'q1',
    'booked-too-early',
    lateReceipt,
    (s, { lateReceipt: { paymentId, quote } }) => {
      s.run(
        "UPDATE transfer SET time_ms = ? WHERE kind = 'resolution' AND reference = ?",
        1_000n * quote.resolutionDeadline - 1_000n,
        paymentId,
      );
    },
  ],
  [
    'the bill that the books will follow at the verdict',
    'q1',
    'row-differs',
    held,
    (s, { held: { paymentId } }) => {
      s.run(`UPDATE payment_body SET bill = 'q1=2 q2=7 q3=3' WHERE number = ${number}`, paymentId);
    },
  ],
  [
    'a fee kept by another station than the bill says',
    'q1',
    'transfers-differ',
    unsettled,
    (s, { unsettled: { paymentId } }) => {
      s.run(
        `UPDATE transfer SET credit = ${account('payable:q3')}
         WHERE kind = 'payable' AND credit = ${account('payable:q2')} AND reference = ?`,
        paymentId,
      );
    },
  ],
  [
    'a window paid with more than was agreed',
    'q1',
    'transfers-differ',
    nobody,
    (s) => {
      s.run(
        `UPDATE transfer SET amount = amount + 1
         WHERE number = (SELECT max(number) FROM transfer WHERE kind = 'settlement-paid')`,
      );
    },
  ],
  [
    'a window paid a second time',
    'q1',
    'transfers-differ',
    nobody,
    (s) => {
      s.execute(`INSERT INTO transfer (debit, credit, amount, kind, reference, time_ms)
        SELECT debit, credit, amount, kind, reference, time_ms FROM transfer
        WHERE kind = 'settlement-paid' LIMIT 1`);
    },
  ],
  [
    'a claim in a window that is not there, so that the peer’s own is refused',
    'q1',
    'claim-invalid',
    nobody,
    (s, { unsettled: { paymentId } }) => {
      s.run(
        `INSERT INTO claim (redemption_id, side, peer, sequence, payment, amount)
         VALUES (randomblob(32), 'theirs', 'q2', 99, ${number}, 4)`,
        paymentId,
      );
    },
  ],
  [
    'a window taken out of the middle',
    'q1',
    'window-sequence',
    nobody,
    (s) => {
      s.run("UPDATE settlement_window SET sequence = 2 WHERE peer = 'q2'");
    },
  ],
  [
    'a claim with an ID that is not its payment’s, to be claimed again',
    'q1',
    'claim-invalid',
    nobody,
    (s) => {
      s.run('UPDATE claim SET redemption_id = zeroblob(32) WHERE number = 1');
    },
  ],
];

export const forgeries: readonly Tampering[] = [
  [
    'a price that was announced at another time',
    'q2',
    'announcement-invalid',
    settled,
    (s, { room }) => {
      const { name, documentKey, announcement: own } = room.station('q2');
      const time = room.nowSeconds - 100_000n;
      const old = announcement.sign({ ...own.body, time, expiry: time + 300n }, documentKey);
      s.run(
        'UPDATE own_announcement SET bytes = ? WHERE name = ?',
        old.bytes,
        announcementName(primitives, own),
      );
      if (name !== own.body.station) throw new Error('another station');
    },
  ],
  [
    'a payment stored at a time when nobody could have taken it',
    'q2',
    'times-broken',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run('UPDATE payment SET stored_ms = stored_ms + 86400000 WHERE payment_id = ?', paymentId);
    },
  ],
  [
    'the announcement of a neighbour, with a certificate that the CA did not sign',
    'q1',
    'station-certificate',
    nobody,
    (s, { room }) => {
      const { announcement: own, documentKey, coinCertificate } = room.station('q2');
      const documentCertificate = coinCertificate;
      const bad = announcement.sign({ ...own.body, documentCertificate }, documentKey);
      s.run("UPDATE announcement SET bytes = ? WHERE station = 'q2'", bad.bytes);
    },
  ],
  [
    'a refusal that the station never signed',
    'q1',
    'refusal-invalid',
    nobody,
    (s) => {
      s.run("UPDATE payment_verdict SET refusal = x'3000' WHERE refusal IS NOT NULL");
    },
  ],
  [
    'a delivered payment called refused',
    'q1',
    'refusal-invalid',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run("UPDATE payment SET state = 'refused' WHERE payment_id = ?", paymentId);
    },
  ],
  [
    'a receipt made good by the station itself',
    'q2',
    'receipt-invalid',
    undelivered,
    (s, { room, undelivered: { paymentId } }) => {
      const { name, documentKey } = room.station('q2');
      const about = { paymentId, station: name, time: room.nowSeconds };
      const { bytes } = signReceipt(about, documentKey, { acknowledgement: forged });
      s.run(`UPDATE payment_verdict SET receipt = ? WHERE number = ${number}`, bytes, paymentId);
      s.run("UPDATE payment SET state = 'delivered' WHERE payment_id = ?", paymentId);
    },
  ],
  [
    'evidence of two verdicts: the last station is named',
    'q1',
    'two-verdicts',
    undelivered,
    (s, { room, undelivered: { paymentId } }) => {
      const { name, documentKey } = room.station('q3');
      const about = { paymentId, station: name, time: room.nowSeconds };
      keep(s, paymentId, signReceipt(about, documentKey, { acknowledgement: forged }).bytes);
    },
  ],
  [
    'evidence of a coin admitted twice: the issuer is named',
    'q2',
    'coin-used-twice',
    settled,
    (s, { settled: paid, settledToo }) => {
      const payment = { ...paymentKind.decode(settledToo.bytes), coin: paid.coin };
      const content = { payment, admission: settledToo.admission };
      keep(s, paid.paymentId, wireMessage.encode({ kind: 'payment', content }));
    },
  ],
  [
    'a role that makes a payment of ours somebody else’s',
    'q1',
    'row-differs',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run("UPDATE payment SET role = 'relay' WHERE payment_id = ?", paymentId);
    },
  ],
];

function keep(s: Sabotage, paymentId: Uint8Array, bytes: Uint8Array): void {
  s.run(
    'INSERT INTO evidence (payment_id, digest, bytes) VALUES (?, ?, ?)',
    paymentId,
    primitives.sha256(bytes),
    bytes,
  );
}
