/**
 * CHECK SIGNATURE (S6): whether a signature is this card's own, for an audit by its owner. The
 * host has no public key to check it with: certificates are never read out (requirement 4).
 */
import type { CommandApdu, ResponseApdu } from '../../applet-spec/apdu.ts';
import { concatBytes, equalBytes } from '../../applet-spec/bytes.ts';
import { signatureCheck, type SignatureCheck } from '../../applet-spec/card-objects.ts';
import { labels } from '../../applet-spec/labels.ts';
import { headNow } from '../../applet-spec/names.ts';
import { transaction } from '../../applet-spec/payment.ts';
import { acknowledgement } from '../../applet-spec/receipt.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { answer, requireParameters, statusWord, type CardContext } from './card-context.ts';
import { ownership, type CardState } from './card-state.ts';

/** 01 where it is, 00 where it is not. */
export function checkSignature(card: CardContext, command: CommandApdu): ResponseApdu {
  const { memory, primitives } = card;
  requireParameters(command, 0x00);
  const asked = decodeElement(signatureCheck, command.data, 'signature check');
  const owner = ownership(memory.state);
  if (owner === undefined) throw statusWord('reference-data-not-found');
  const own = primitives.sha256(owner.certificate);
  const { certificate, message } = signedBy(asked, own);
  const publicKey = equalBytes(certificate, own)
    ? primitives.signingKey(owner.privateKey).publicKey
    : formerKeyUnder(memory.state, certificate);
  const isOwn = primitives.verifyingKey(publicKey).verify(message, asked.signature);
  return answer(Uint8Array.of(isOwn ? 1 : 0));
}

/** What was signed, and the hash of the certificate that it was signed under. */
function signedBy(
  { transaction: bytes, paymentId, certificate }: SignatureCheck,
  own: Uint8Array,
): { readonly certificate: Uint8Array; readonly message: Uint8Array } {
  if (bytes !== undefined && paymentId === undefined && certificate === undefined) {
    const { payerCertificate } = decodeElement(transaction, bytes, 'transaction');
    return { certificate: payerCertificate, message: concatBytes(labels.transaction, bytes) };
  }
  if (bytes !== undefined || paymentId === undefined) throw statusWord('incorrect-data');
  const payeeCertificate = certificate ?? own;
  const body = acknowledgement.body.encode({ ...headNow, paymentId, payeeCertificate });
  return {
    certificate: payeeCertificate,
    message: concatBytes(labels.acknowledgement, body),
  };
}

/** Throws StatusWordError 6A88 for a certificate that this card never had, or no longer knows. */
function formerKeyUnder({ formerKeys = [] }: CardState, certificate: Uint8Array): Uint8Array {
  const former = formerKeys.find((one) => equalBytes(one.certificate, certificate));
  if (former === undefined) throw statusWord('reference-data-not-found');
  return former.publicKey;
}
