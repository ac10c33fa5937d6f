/**
 * A payment as its payer or payee keeps it: everything for audit, the certificate only by its hash.
 */
import type { PaymentRecord, PaymentStanding } from '../../applet-spec/desk-messages.ts';
import { payment } from '../../applet-spec/payment.ts';
import { admission, receipt, refusal } from '../../applet-spec/receipt.ts';
import type { PaymentRow, PaymentState } from '../store/store.ts';
import type { Conclusion } from './desk-seams.ts';

const standings: Readonly<Record<PaymentState, PaymentStanding>> = {
  admitted: 'admitted',
  relayed: 'relayed',
  held: 'relayed',
  forwarded: 'relayed',
  offered: 'relayed',
  delivered: 'delivered',
  undelivered: 'undelivered',
  refused: 'refused',
};

export function paymentRecord(row: PaymentRow): PaymentRecord {
  return {
    payment: payment.decode(row.payment),
    ...(row.admission && { admission: admission.decode(row.admission) }),
    ...(row.receipt && { receipt: receipt.decode(row.receipt) }),
    // At the issuer advice of others is kept as evidence; only its own refusal ends a payment.
    ...(row.state === 'refused' && row.refusal && { refusal: refusal.decode(row.refusal) }),
    standing: standings[row.state],
  };
}

export function conclusionOf(row: PaymentRow): Conclusion {
  const role = row.role === 'issuer' ? 'payer' : 'payee';
  return { paymentId: row.paymentId, role, record: paymentRecord(row) };
}
