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
import type { Primitives } from '../../applet-spec/primitives.ts';
import { acknowledgement } from '../../applet-spec/receipt.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { answer, requireParameters, statusWord, type CardContext } from './card-context.ts';
import { ownership, type Ownership } from './card-state.ts';

/** 01 where it is, 00 where it is not. */
export function checkSignature(card: CardContext, command: CommandApdu): ResponseApdu {
  const { memory, primitives } = card;
  requireParameters(command, 0x00);
  const asked = decodeElement(signatureCheck, command.data, 'signature check');
  const owner = ownership(memory.state);
  if (owner === undefined) throw statusWord('reference-data-not-found');
  const message = signedMessage(primitives, owner, asked);
  const { publicKey } = primitives.signingKey(owner.privateKey);
  const own = primitives.verifyingKey(publicKey).verify(message, asked.signature);
  return answer(Uint8Array.of(own ? 1 : 0));
}

/** Throws StatusWordError 6A88 for a transaction under another certificate than the card's. */
function signedMessage(
  primitives: Primitives,
  { certificate }: Ownership,
  { transaction: bytes, paymentId }: SignatureCheck,
): Uint8Array {
  const own = primitives.sha256(certificate);
  if (bytes !== undefined && paymentId === undefined) {
    const { payerCertificate } = decodeElement(transaction, bytes, 'transaction');
    if (!equalBytes(payerCertificate, own)) {
      throw statusWord('reference-data-not-found');
    }
    return concatBytes(labels.transaction, bytes);
  }
  if (paymentId === undefined || bytes !== undefined) throw statusWord('incorrect-data');
  const body = acknowledgement.body.encode({ ...headNow, paymentId, payeeCertificate: own });
  return concatBytes(labels.acknowledgement, body);
}
