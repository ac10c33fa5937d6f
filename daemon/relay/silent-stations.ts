/**
 * Failure 31: a station that confirms payments and drops them. Which one of a route it was nobody
 * can prove; the issuer leads payments round them all for a while, as long as there is a way round.
 */
import type { ReceiptBody } from '../../applet-spec/receipt.ts';
import type { OpenPayment } from './open-payments.ts';
import type { TollContext } from './toll-context.ts';

/** What the issuer learns of the stations between from a verdict. */
export function noteSilence(
  { picture, log }: Pick<TollContext, 'picture' | 'log'>,
  { role, paymentId, payment }: Pick<OpenPayment, 'role' | 'paymentId' | 'payment'>,
  { verdict, reason }: Pick<ReceiptBody, 'verdict' | 'reason'>,
): void {
  if (role !== 'issuer') return;
  const between = payment.quote.bill.slice(1, -1).map(({ station }) => station);
  if (verdict === 'delivered') picture.carried(between);
  // Said of what the last station had not heard of when it was asked, with nobody's advice why.
  if (reason !== 'asked-by-issuer' || between.length === 0) return;
  picture.dropped(between);
  log.payment('warn', paymentId, 'never came to its last station', {
    between: between.join(', '),
  });
}
