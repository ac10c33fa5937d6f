/** The keys under which records are sealed, and the check value of a peer key. */
import { concatBytes, uintToBytes } from './bytes.ts';
import { deriveKey } from './kdf.ts';
import type { HostLinkAnswer } from './card-objects.ts';
import { requireLength } from './primitive-input.ts';
import type { Primitives } from './primitives.ts';

export const HOST_NONCE_BYTES = 16;
export const PEER_KEY_CHECK_BYTES = 8;

/** What one host-link key pair is bound to; 16 bytes each. */
export interface HostLinkContext {
  /** The challenges of the SCP03 session that card and station have just opened. */
  readonly cardChallenge: Uint8Array;
  readonly stationChallenge: Uint8Array;
  /** Drawn by the host, said in its `hello`. */
  readonly hostNonce: Uint8Array;
}

/**
 * Design §5: derived by the card for its host, by the station for itself, under
 * `CardKeys.hostLink`.
 */
export function hostLinkKeys(
  primitives: Primitives,
  hostLink: Uint8Array,
  { cardChallenge, stationChallenge, hostNonce }: HostLinkContext,
): HostLinkAnswer {
  requireLength(cardChallenge, 16, 'the card challenge');
  requireLength(stationChallenge, 16, 'the station challenge');
  requireLength(hostNonce, HOST_NONCE_BYTES, 'the host nonce');
  const context = concatBytes(cardChallenge, stationChallenge, hostNonce);
  const purpose = { label: 'keytoll host link 1', use: 'traffic', context } as const;
  return {
    toStation: deriveKey(primitives, hostLink, { ...purpose, direction: 'to-station' }),
    toHost: deriveKey(primitives, hostLink, { ...purpose, direction: 'to-host' }),
  };
}

export type PeerDirection = 'to-payee' | 'to-payer';

/**
 * S4: the key for one direction and one epoch of the sender's card. `epoch` is 1 to 0xFFFFFFFF; the
 * payment names the peer key.
 */
export function peerTrafficKey(
  primitives: Primitives,
  peerKey: Uint8Array,
  direction: PeerDirection,
  paymentId: Uint8Array,
  epoch: bigint,
): Uint8Array {
  requireLength(paymentId, 32, 'a payment ID');
  if (epoch < 1n) throw new RangeError('epochs begin at 1');
  const context = concatBytes(paymentId, uintToBytes(epoch, 4));
  const purpose = { label: 'keytoll peer key 1', use: 'traffic', direction, context };
  return deriveKey(primitives, peerKey, purpose);
}

/** Equal at both ends where the keys are; says nothing else about the key. Eight bytes. */
export function peerKeyCheck(
  primitives: Primitives,
  peerKey: Uint8Array,
  paymentId: Uint8Array,
): Uint8Array {
  requireLength(paymentId, 32, 'a payment ID');
  const purpose = { label: 'keytoll peer key 1', use: 'check', context: paymentId };
  return deriveKey(primitives, peerKey, purpose, PEER_KEY_CHECK_BYTES);
}
