import { concatBytes } from '../../applet-spec/bytes.ts';
import type { Entropy, Primitives } from '../../applet-spec/primitives.ts';

const tagBytes = 16;

/**
 * Sealing switched off, from outside: AES-GCM and AES-CBC hand back what they were given.
 * Signatures, MACs and hashes stay, so that cards, hosts and stations go on working.
 */
export function unsealed(primitives: Primitives): Primitives {
  return {
    ...primitives,
    aesCbcEncrypt: (_key, _iv, plaintext) => plaintext.slice(),
    aesCbcDecrypt: (_key, _iv, ciphertext) => ciphertext.slice(),
    aesGcmSeal: (_key, _nonce, plaintext) => concatBytes(plaintext, new Uint8Array(tagBytes)),
    aesGcmOpen: (_key, _nonce, sealed) => sealed.slice(0, -tagBytes),
  };
}

/** QKD bits that hide nothing: a pad of zeros. */
export const zeroBits: Entropy = { randomBytes: (length) => new Uint8Array(length) };
