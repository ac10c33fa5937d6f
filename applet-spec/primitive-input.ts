/**
 * What both implementations of `Primitives` refuse alike, before a library sees it. All throw
 * RangeError, and name lengths only: inputs may be secret.
 */

export const AES_BLOCK_BYTES = 16;
export const GCM_NONCE_BYTES = 12;
export const GCM_TAG_BYTES = 16;
export const P256_PUBLIC_KEY_BYTES = 65;
export const P256_PRIVATE_KEY_BYTES = 32;
export const P256_SIGNATURE_BYTES = 64;

export function requireLength(bytes: Uint8Array, length: number, what: string): void {
  if (bytes.length !== length) {
    throw new RangeError(`${what} has ${bytes.length} bytes, not ${length}`);
  }
}

export function requireAesKey(key: Uint8Array): void {
  if (key.length !== 16 && key.length !== 24 && key.length !== 32) {
    throw new RangeError(`an AES key has 16, 24 or 32 bytes, not ${key.length}`);
  }
}

export function requireCbcInput(key: Uint8Array, iv: Uint8Array, blocks: Uint8Array): void {
  requireAesKey(key);
  requireLength(iv, AES_BLOCK_BYTES, 'a CBC initial vector');
  if (blocks.length % AES_BLOCK_BYTES !== 0) {
    throw new RangeError(`${blocks.length} bytes are no whole number of AES blocks`);
  }
}

export function requireGcmInput(key: Uint8Array, nonce: Uint8Array): void {
  requireLength(key, 32, 'an AES-256-GCM key');
  requireLength(nonce, GCM_NONCE_BYTES, 'a GCM nonce');
}

/** Uncompressed points only (SEC 1 §2.3.3, first byte 04): one key has one form. */
export function requireUncompressedPoint(publicKey: Uint8Array): void {
  requireLength(publicKey, P256_PUBLIC_KEY_BYTES, 'a P-256 public key');
  if (publicKey[0] !== 0x04) throw new RangeError('a P-256 public key is an uncompressed point');
}
