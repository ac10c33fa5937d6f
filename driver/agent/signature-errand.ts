/**
 * S6, with the card's help: nothing but the card can tell its owner's signatures, since the
 * certificate never leaves it in the open.
 */
import { toHex } from '../../applet-spec/bytes.ts';
import type { CardSession } from '../card/card-session.ts';
import type { WalletPayment } from '../wallet/wallet-payments.ts';
import type { ErrandResult } from './errands.ts';
import type { Host } from './host.ts';

/** Each payment's own signature; those of certificates that the card does not know are left out. */
export async function checkSignatures(host: Host): Promise<ErrandResult<'check-signatures'>> {
  const card = await host.verifiedCard();
  const checked: { readonly paymentId: string; readonly own: boolean }[] = [];
  for (const kept of host.wallet.payments.each()) {
    if ('damaged' in kept) continue;
    const own = await isOwn(card, kept);
    if (own !== undefined) checked.push({ paymentId: toHex(kept.paymentId), own });
  }
  return { checked };
}

async function isOwn(
  card: CardSession,
  { role, payment, paymentId, receipt }: WalletPayment,
): Promise<boolean | undefined> {
  const { transactionBytes, payerSignature, quote } = payment;
  if (role === 'payer') {
    return card.checkSignature({ transaction: transactionBytes }, payerSignature);
  }
  const acknowledged = receipt?.body.acknowledgement;
  const under = { paymentId, certificate: quote.payeeCertificate };
  return acknowledged && card.checkSignature(under, acknowledged);
}
