/** Whether an issuer owes a claim, and if not, the one reason why. Pure. */
import { equalBytes } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import { payment as paymentCodec } from '../../applet-spec/payment.ts';
import { admissionFault, receiptFault } from '../../applet-spec/payment-evidence.ts';
import type { Primitives, VerifyingKey } from '../../applet-spec/primitives.ts';
import type { Receipt } from '../../applet-spec/receipt.ts';
import type { PaymentRow } from '../store/store.ts';
import type { Claim, JudgementWord } from './settlement-messages.ts';

export type ClaimRefusal = Exclude<JudgementWord, 'accepted' | 'exists' | 'window-closed'>;

export type ClaimJudgement =
  | {
      readonly owed: true;
      /** A verdict that has not reached this station yet: to be taken before the claim is. */
      readonly news?: Receipt;
    }
  | { readonly owed: false; readonly why: ClaimRefusal };

/** In the order in which a clerk would look: whose coin, what evidence, which line, how much. */
export function judgeClaim(
  context: { readonly primitives: Primitives; readonly documentKey: VerifyingKey },
  claimant: StationName,
  claim: Claim,
  row: PaymentRow | undefined,
): ClaimJudgement {
  if (row === undefined) return refused('unknown-payment');
  if (row.role !== 'issuer') return refused('foreign-issuer');
  const subject = { payment: paymentCodec.decode(row.payment), paymentId: row.paymentId };
  const ours = row.admission;
  if (ours === undefined) return refused('bad-admission');
  const sameAdmission = equalBytes(ours, claim.admission.bytes);
  if (
    !sameAdmission &&
    admissionFault(context.primitives, subject, claim.admission, context.documentKey) !== undefined
  ) {
    return refused('bad-admission');
  }
  if (claim.receipt === undefined) return refused('no-receipt');
  const known = row.receipt !== undefined && equalBytes(row.receipt, claim.receipt.bytes);
  if (!known && receiptFault(context.primitives, subject, claim.receipt) !== undefined) {
    return refused('bad-receipt');
  }
  if (claim.receipt.body.verdict !== 'delivered' || row.state === 'undelivered') {
    return refused('not-delivered');
  }
  const line = subject.payment.quote.bill[claim.line];
  if (line?.station !== claimant || claim.line === 0) return refused('other-line');
  if (line.fee !== claim.amount || line.fee === 0n) return refused('wrong-amount');
  return row.state === 'delivered' ? { owed: true } : { owed: true, news: claim.receipt };
}

function refused(why: ClaimRefusal): ClaimJudgement {
  return { owed: false, why };
}
