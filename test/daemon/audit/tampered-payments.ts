import type { SigningKey } from '../../../applet-spec/primitives.ts';
import { admission } from '../../../applet-spec/receipt.ts';
import { signBatch } from '../../../applet-spec/signed-object.ts';
import { opensslPrimitives as primitives } from '../../../daemon/openssl-primitives.ts';
import type { Sabotage } from './sabotage.ts';
import { signReceipt, type PaidPayment } from './toll-papers.ts';
import { forged, held, number, settled, undelivered, type Tampering } from './tampering.ts';

export const tamperedPayments: readonly Tampering[] = [
  [
    'a fee changed on the bill',
    'q2',
    'sum-differs',
    settled,
    (s, { settled: { paymentId } }) => {
      s.bill(paymentId, (bill) => bill.map((line, i) => (i === 1 ? { ...line, fee: 9n } : line)));
    },
  ],
  [
    'fees moved from one line to another',
    'q2',
    'quote-differs',
    settled,
    (s, { settled: { paymentId } }) => {
      const fees = [5n, 3n, 4n];
      s.bill(paymentId, (bill) => bill.map((line, i) => ({ ...line, fee: fees[i] ?? 0n })));
    },
  ],
  [
    'two lines swapped',
    'q2',
    'route-broken',
    settled,
    (s, { settled: { paymentId } }) => {
      s.bill(paymentId, ([first, second, third]) =>
        [first, third, second].flatMap((line) => line ?? []),
      );
    },
  ],
  [
    'a line taken off',
    'q2',
    'line-missing',
    settled,
    (s, { settled: { paymentId } }) => {
      s.bill(paymentId, (bill) => bill.filter((_, i) => i !== 1));
    },
  ],
  [
    'a forged signature of the payer',
    'q1',
    'payer-signature',
    settled,
    (s, { settled: { paymentId } }) => {
      s.payment(paymentId, (before) => ({ ...before, payerSignature: forged }));
    },
  ],
  [
    'another transaction under the same ID',
    'q3',
    'payment-id-differs',
    settled,
    (s, { settled: { paymentId }, settledToo }) => {
      s.run(
        `UPDATE payment_body SET payment = ? WHERE number = ${number}`,
        settledToo.bytes,
        paymentId,
      );
    },
  ],
  [
    'a coin of another payment',
    'q1',
    'coin-differs',
    settled,
    (s, { settled: { paymentId }, settledToo }) => {
      s.payment(paymentId, (before) => ({ ...before, coin: settledToo.coin }));
    },
  ],
  [
    'bytes that are no payment',
    'q1',
    'undecodable',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run(`UPDATE payment_body SET payment = x'3000' WHERE number = ${number}`, paymentId);
    },
  ],
  [
    'a fee column that is not the bill’s',
    'q2',
    'row-differs',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run('UPDATE payment SET fee = 40 WHERE payment_id = ?', paymentId);
    },
  ],
  [
    'another payer in the column',
    'q1',
    'row-differs',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run("UPDATE payment SET payer = 'bob@q1' WHERE payment_id = ?", paymentId);
    },
  ],
  [
    'a certificate that is gone',
    'q2',
    'payer-certificate-missing',
    settled,
    (s) => {
      s.execute('DELETE FROM certificate');
    },
  ],
  [
    'a sealed certificate whose seal is broken',
    'q2',
    'payer-certificate-invalid',
    settled,
    (s) => {
      s.run('UPDATE certificate SET sealed = zeroblob(length(sealed))');
    },
  ],
  [
    'an announcement that is gone, so that a fee stands on nothing',
    'q2',
    'announcement-missing',
    settled,
    (s) => {
      s.execute('DELETE FROM own_announcement');
    },
  ],
];

export const tamperedWords: readonly Tampering[] = [
  [
    'a dropped receipt',
    'q2',
    'receipt-missing',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run(`DELETE FROM payment_verdict WHERE number = ${number}`, paymentId);
    },
  ],
  [
    'the receipt of another payment',
    'q2',
    'receipt-invalid',
    settled,
    (s, { settled: { paymentId }, settledToo }) => {
      const { bytes } = settledToo.receipt;
      s.run(`UPDATE payment_verdict SET receipt = ? WHERE number = ${number}`, bytes, paymentId);
    },
  ],
  [
    'a receipt signed by somebody else',
    'q1',
    'receipt-invalid',
    settled,
    (s, { room, settled: { paymentId, receipt } }) => {
      const { documentKey } = room.station('q2');
      const acknowledgement = receipt.body.acknowledgement ?? forged;
      const { station, time } = receipt.body;
      const { bytes } = signReceipt({ paymentId, station, time }, documentKey, { acknowledgement });
      s.run(`UPDATE payment_verdict SET receipt = ? WHERE number = ${number}`, bytes, paymentId);
    },
  ],
  [
    'an acknowledgement that the payee’s card never gave',
    'q3',
    'acknowledgement-invalid',
    settled,
    (s, { room, settled: { paymentId } }) => {
      const { name, documentKey } = room.station('q3');
      const about = { paymentId, station: name, time: room.nowSeconds };
      const { bytes } = signReceipt(about, documentKey, { acknowledgement: forged });
      s.run(`UPDATE payment_verdict SET receipt = ? WHERE number = ${number}`, bytes, paymentId);
    },
  ],
  [
    'an undelivered payment called delivered',
    'q2',
    'receipt-contradicts',
    undelivered,
    (s, { undelivered: { paymentId } }) => {
      s.run("UPDATE payment SET state = 'delivered' WHERE payment_id = ?", paymentId);
    },
  ],
  [
    'a payment without verdict called undelivered',
    'q1',
    'receipt-missing',
    held,
    (s, { held: { paymentId } }) => {
      s.run("UPDATE payment SET state = 'undelivered' WHERE payment_id = ?", paymentId);
    },
  ],
  [
    'a dropped admission',
    'q3',
    'admission-missing',
    settled,
    (s, { settled: { paymentId } }) => {
      s.run(`UPDATE payment_body SET admission = NULL WHERE number = ${number}`, paymentId);
    },
  ],
  [
    'a forged admission',
    'q2',
    'admission-invalid',
    settled,
    (s, { settled: paid }) => {
      const { body, proof } = paid.admission;
      const { bytes } = admission.prove(body, { ...proof, signature: forged });
      s.run(
        `UPDATE payment_body SET admission = ? WHERE number = ${number}`,
        bytes,
        paid.paymentId,
      );
    },
  ],
  [
    'an admission from before its quote',
    'q2',
    'times-broken',
    settled,
    (s, { settled: paid, room }) => {
      admittedAt(s, paid, paid.quote.time - 61n, room.station('q1').documentKey);
    },
  ],
  [
    'an admission from after the end of its quote',
    'q2',
    'times-broken',
    settled,
    (s, { settled: paid, room }) => {
      admittedAt(s, paid, paid.quote.expiry + 61n, room.station('q1').documentKey);
    },
  ],
];

function admittedAt(s: Sabotage, paid: PaidPayment, time: bigint, issuerKey: SigningKey): void {
  const body = { ...paid.admission.body, time };
  const [proof] = signBatch(primitives, [admission.leaf(primitives, body)], issuerKey);
  if (proof === undefined) throw new RangeError('a batch of one has one proof');
  const { bytes } = admission.prove(body, proof);
  s.run(`UPDATE payment_body SET admission = ? WHERE number = ${number}`, bytes, paid.paymentId);
}
