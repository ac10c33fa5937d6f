/**
 * What the parts of a stored payment say of each other, and whether its words hold: pure, for every
 * station on the route and for an audit years later (S34, S36, S6). What depends on the moment
 * (deadlines, links, revocation) is the caller's.
 */
import { concatBytes, equalBytes } from './bytes.ts';
import { labels } from './labels.ts';
import { headNow, homeStation } from './names.ts';
import type { Payment, PaymentId } from './payment.ts';
import type { Primitives, VerifyingKey } from './primitives.ts';
import { billTotal, quote } from './quote.ts';
import {
  acknowledgement,
  admission as admissionKind,
  receipt as receiptKind,
  type Admission,
  type Receipt,
} from './receipt.ts';

export type ContentFaultCode =
  'quote-differs' | 'foreign-network' | 'coin-differs' | 'currency-differs' | 'sum-differs';

export interface ContentFault {
  readonly code: ContentFaultCode;
  readonly detail: string;
}

/** Transaction, quote and coin against each other and the network; none where they agree. */
export function contentFaults(
  primitives: Primitives,
  payment: Payment,
  network: string,
): readonly ContentFault[] {
  const { transaction, quote: terms } = payment;
  const paid = payment.coin.body;
  const faults: ContentFault[] = [];
  if (!equalBytes(transaction.quoteDigest, quote.digest(primitives, payment.quoteBytes))) {
    faults.push({ code: 'quote-differs', detail: 'the transaction names another quote' });
  }
  if (terms.network !== network || paid.network !== network) {
    faults.push({ code: 'foreign-network', detail: `a payment of network ${terms.network}` });
  }
  const sameCoin =
    equalBytes(transaction.coinId, paid.coinId) &&
    equalBytes(transaction.commitment, paid.commitment) &&
    transaction.coinValue === paid.value;
  if (!sameCoin)
    faults.push({ code: 'coin-differs', detail: 'the transaction names another coin' });
  if (paid.currency !== terms.currency) {
    const detail = `a coin of ${paid.currency} for ${terms.currency}`;
    faults.push({ code: 'currency-differs', detail });
  }
  const total = billTotal(terms.bill);
  if (total !== paid.value) {
    const detail = `the bill's sum is ${total}, the coin's value ${paid.value}`;
    faults.push({ code: 'sum-differs', detail });
  }
  return faults;
}

/** Each station once, the payer's first, which issued the coin, and the payee's last. */
export function routeFault({ quote: terms, coin }: Payment): string | undefined {
  const names = terms.bill.map((line) => line.station);
  if (new Set(names).size !== names.length) return 'a station stands twice in the bill';
  if (names[0] !== coin.body.issuer || names[0] !== homeStation(terms.payer)) {
    return 'the first station is not the issuer and home of the payer';
  }
  return names.at(-1) === homeStation(terms.payee)
    ? undefined
    : 'the last station is not the home of the payee';
}

/** The issuer's word for this payment. */
export function admissionFault(
  primitives: Primitives,
  { payment, paymentId }: { readonly payment: Payment; readonly paymentId: PaymentId },
  admitted: Admission,
  issuerKey: VerifyingKey,
): string | undefined {
  if (!equalBytes(admitted.body.paymentId, paymentId)) return 'an admission of another payment';
  if (admitted.body.issuer !== payment.coin.body.issuer) return 'an admission of another issuer';
  return admissionKind.verify(primitives, admitted, issuerKey)
    ? undefined
    : "the admission's signature does not verify";
}

/** The last station's word, under the key that the quote named for it. */
export function receiptFault(
  primitives: Primitives,
  { payment, paymentId }: { readonly payment: Payment; readonly paymentId: PaymentId },
  found: Receipt,
): string | undefined {
  if (!equalBytes(found.body.paymentId, paymentId)) return 'a receipt of another payment';
  if (found.body.station !== payment.quote.bill.at(-1)?.station) {
    return 'a receipt that is not of the last station';
  }
  let lastKey: VerifyingKey;
  try {
    lastKey = primitives.verifyingKey(payment.quote.payeeStationKey);
  } catch {
    return "the quote's key of the last station is no key";
  }
  return receiptKind.verify(primitives, found, lastKey)
    ? undefined
    : "the receipt's signature does not verify";
}

/** The payee's card's word inside a receipt that says delivered. */
export function acknowledgementHolds(
  { payment, paymentId }: { readonly payment: Payment; readonly paymentId: PaymentId },
  found: Receipt,
  payeeKey: VerifyingKey,
): boolean {
  const { acknowledgement: signature } = found.body;
  if (signature === undefined) return false;
  const { payeeCertificate } = payment.quote;
  const body = acknowledgement.body.encode({ ...headNow, paymentId, payeeCertificate });
  return payeeKey.verify(concatBytes(labels.acknowledgement, body), signature);
}
