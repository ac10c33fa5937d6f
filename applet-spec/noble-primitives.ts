import { poly1305 } from '@noble/ciphers/_poly1305.js';
import { cbc, cmac, ecb, gcm } from '@noble/ciphers/aes.js';
import { p256 } from '@noble/curves/nist.js';
import { sha256 } from '@noble/hashes/sha2.js';
import {
  AES_BLOCK_BYTES,
  GCM_TAG_BYTES,
  P256_PRIVATE_KEY_BYTES,
  P256_SIGNATURE_BYTES,
  requireAesKey,
  requireCbcInput,
  requireGcmInput,
  requireLength,
  requireUncompressedPoint,
} from './primitive-input.ts';
import type { Primitives, SigningKey, VerifyingKey } from './primitives.ts';

/** Both options are said aloud: noble's default for P-256 accepts and makes high s. */
const ecdsaOptions = { prehash: true, lowS: true } as const;

/** `Primitives` for cards, hosts and simulation; signing is deterministic (RFC 6979). */
export const noblePrimitives: Primitives = {
  sha256(...parts) {
    const hash = sha256.create();
    for (const part of parts) hash.update(part);
    return hash.digest();
  },
  aesCmac(key, message) {
    requireAesKey(key);
    return cmac(message, key);
  },
  aesCbcEncrypt(key, iv, plaintext) {
    requireCbcInput(key, iv, plaintext);
    if (plaintext.length === 0) return new Uint8Array(0);
    return cbc(key, iv, { disablePadding: true }).encrypt(plaintext);
  },
  aesCbcDecrypt(key, iv, ciphertext) {
    requireCbcInput(key, iv, ciphertext);
    if (ciphertext.length === 0) return new Uint8Array(0);
    return cbc(key, iv, { disablePadding: true }).decrypt(ciphertext);
  },
  aesEcbEncryptBlock(key, block) {
    requireAesKey(key);
    requireLength(block, AES_BLOCK_BYTES, 'an AES block');
    return ecb(key, { disablePadding: true }).encrypt(block);
  },
  aesGcmSeal(key, nonce, plaintext, associatedData) {
    requireGcmInput(key, nonce);
    return gcm(key, nonce, associatedData).encrypt(plaintext);
  },
  aesGcmOpen(key, nonce, sealed, associatedData) {
    requireGcmInput(key, nonce);
    if (sealed.length < GCM_TAG_BYTES) return undefined;
    const cipher = gcm(key, nonce, associatedData);
    try {
      return cipher.decrypt(sealed);
    } catch {
      // With lengths checked above, noble throws here for a wrong tag alone.
      return undefined;
    }
  },
  poly1305(oneTimeKey, message) {
    requireLength(oneTimeKey, 32, 'a Poly1305 key');
    return poly1305(message, oneTimeKey);
  },
  verifyingKey(publicKey) {
    return nobleVerifyingKey(publicKey);
  },
  signingKey(privateKey) {
    return nobleSigningKey(privateKey);
  },
};

function nobleVerifyingKey(publicKey: Uint8Array): VerifyingKey {
  requireUncompressedPoint(publicKey);
  const own = new Uint8Array(publicKey);
  if (!p256.utils.isValidPublicKey(own, false)) throw new RangeError('no point of P-256');
  return {
    publicKey: own,
    verify: (message, signature) =>
      signature.length === P256_SIGNATURE_BYTES &&
      p256.verify(signature, message, own, ecdsaOptions),
  };
}

function nobleSigningKey(privateKey: Uint8Array): SigningKey {
  requireLength(privateKey, P256_PRIVATE_KEY_BYTES, 'a P-256 private key');
  if (!p256.utils.isValidSecretKey(privateKey)) throw new RangeError('no scalar of P-256');
  const secret = new Uint8Array(privateKey);
  const verifyingKey = nobleVerifyingKey(p256.getPublicKey(secret, false));
  return { ...verifyingKey, sign: (message) => p256.sign(message, secret, ecdsaOptions) };
}
