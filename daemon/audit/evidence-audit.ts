/**
 * What was kept against stored payments (I36): each piece is judged by its signatures alone, and
 * names the station that made two words which cannot both be true. Advice on the way is neither.
 */
import { equalBytes } from '../../applet-spec/bytes.ts';
import { payment as paymentCodec, paymentIdOf, type Payment } from '../../applet-spec/payment.ts';
import { admissionFault, receiptFault } from '../../applet-spec/payment-evidence.ts';
import { receipt as receiptKind, refusal as refusalKind } from '../../applet-spec/receipt.ts';
import type { Evidence } from '../store/audit-store.ts';
import type { PaymentRow } from '../store/store.ts';
import { wireMessage } from '../wire/wire-message.ts';
import type { Finding } from './finding.ts';
import type { PaymentAuditContext } from './payment-audit.ts';

/** `row`: the stored payment that it is about. */
export function auditEvidence(
  context: PaymentAuditContext,
  { bytes, digest, paymentId }: Evidence,
  row: PaymentRow | undefined,
): Finding | undefined {
  if (!equalBytes(digest, context.primitives.sha256(bytes))) {
    const detail = 'evidence is kept under a hash that is not its own';
    return { code: 'store-inconsistent', detail, paymentId, party: context.station };
  }
  const stored = row && decoded(() => paymentCodec.decode(row.payment));
  if (row === undefined || stored === undefined) {
    // Our own word that we did not carry it, and others' on its way to the issuer.
    if (decoded(() => refusalKind.decode(bytes)) !== undefined) return undefined;
    const detail = 'evidence is kept about a payment that is not stored';
    return { code: 'store-inconsistent', detail, paymentId, party: context.station };
  }
  return (
    secondVerdict(context, bytes, row, stored) ?? secondPayment(context, bytes, paymentId, stored)
  );
}

function secondVerdict(
  { primitives }: PaymentAuditContext,
  bytes: Uint8Array,
  { paymentId, state }: PaymentRow,
  payment: Payment,
): Finding | undefined {
  const found = decoded(() => receiptKind.decode(bytes));
  if (found === undefined || found.body.verdict === state) return undefined;
  if (state !== 'delivered' && state !== 'undelivered') return undefined;
  if (receiptFault(primitives, { payment, paymentId }, found) !== undefined) return undefined;
  const { station: party, verdict } = found.body;
  const detail = `${party} signed "${verdict}" too, of a payment that it had called ${state}`;
  return { code: 'two-verdicts', detail, paymentId, party };
}

/** Two payments with one coin, both admitted: the issuer answers for it, whoever signed twice. */
function secondPayment(
  { primitives, keys }: PaymentAuditContext,
  bytes: Uint8Array,
  paymentId: Uint8Array,
  stored: Payment,
): Finding | undefined {
  const message = decoded(() => wireMessage.decode(bytes));
  if (message?.kind !== 'payment') return undefined;
  const { payment, admission } = message.content;
  const { issuer, coinId } = payment.coin.body;
  const first = stored.coin.body;
  const subject = { payment, paymentId: paymentIdOf(primitives, payment.transactionBytes) };
  const isSecond = !equalBytes(subject.paymentId, paymentId);
  const sameCoin = issuer === first.issuer && equalBytes(coinId, first.coinId);
  const admitted = keys
    .documentKeys(issuer, admission.body.time)
    .some((one) => admissionFault(primitives, subject, admission, one) === undefined);
  if (!isSecond || !sameCoin || !admitted) return undefined;
  const detail = `${issuer} admitted its coin a second time, for another payment`;
  return { code: 'coin-used-twice', detail, paymentId, party: issuer };
}

function decoded<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch {
    return undefined;
  }
}
