/**
 * S6, with the card's help: nothing but the card can tell its owner's signatures, since the
 * certificate never leaves it in the open.
 */
import { toHex } from '../../applet-spec/bytes.ts';
import type { CardSession } from '../card/card-session.ts';
import type { WalletPayment } from '../wallet/wallet-payments.ts';
import type { ErrandResult } from './errands.ts';
import type { Host } from './host.ts';

/** Each payment's own signature; those of an earlier certificate are left out. */
export async function checkSignatures(host: Host): Promise<ErrandResult<'check-signatures'>> {
  const card = await host.verifiedCard();
  const { certificate } = await card.owner();
  const checked: { readonly paymentId: string; readonly own: boolean }[] = [];
  for (const kept of host.wallet.payments.each()) {
    if ('damaged' in kept) continue;
    const own = await isOwn(card, kept, toHex(certificate));
    if (own !== undefined) checked.push({ paymentId: toHex(kept.paymentId), own });
  }
  return { checked };
}

async function isOwn(
  card: CardSession,
  { role, payment, paymentId, receipt }: WalletPayment,
  certificate: string,
): Promise<boolean | undefined> {
  const { transactionBytes, payerSignature, transaction, quote } = payment;
  const signedUnder = role === 'payer' ? transaction.payerCertificate : quote.payeeCertificate;
  if (toHex(signedUnder) !== certificate) return undefined;
  if (role === 'payer') {
    return card.checkSignature({ transaction: transactionBytes }, payerSignature);
  }
  const acknowledged = receipt?.body.acknowledgement;
  return acknowledged && card.checkSignature({ paymentId }, acknowledged);
}
