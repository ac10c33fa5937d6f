/**
 * The cryptography that the specification needs, as a seam: noble for cards and hosts
 * (`noble-primitives.ts`), OpenSSL for stations (`daemon/openssl-primitives.ts`). Both pass the
 * same vectors.
 *
 * Public keys are P-256 points, uncompressed: 65 bytes. Signatures are r ‖ s with low s: 64 bytes,
 * ECDSA over SHA-256 of the message. Every key of AES is 16, 24 or 32 bytes.
 */
export interface Primitives {
  /** SHA-256 of the parts, joined: 32 bytes. */
  sha256(...parts: readonly Uint8Array[]): Uint8Array;
  /** AES-CMAC (RFC 4493, SP 800-38B): 16 bytes. */
  aesCmac(key: Uint8Array, message: Uint8Array): Uint8Array;
  /** AES-CBC without padding: whole blocks in, whole blocks out. */
  aesCbcEncrypt(key: Uint8Array, iv: Uint8Array, plaintext: Uint8Array): Uint8Array;
  aesCbcDecrypt(key: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array): Uint8Array;
  /** One AES block; SCP03 makes its IVs with it. */
  aesEcbEncryptBlock(key: Uint8Array, block: Uint8Array): Uint8Array;
  /** AES-256-GCM, 12-byte nonce: ciphertext ‖ 16-byte tag. */
  aesGcmSeal(
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    associatedData: Uint8Array,
  ): Uint8Array;
  /** undefined where the tag does not verify. */
  aesGcmOpen(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Uint8Array,
    associatedData: Uint8Array,
  ): Uint8Array | undefined;
  /** Poly1305 (RFC 8439 §2.5) under a key used once: 16 bytes. */
  poly1305(oneTimeKey: Uint8Array, message: Uint8Array): Uint8Array;
  /**
   * Imports once; imports cost more than verifications. Throws RangeError for what is no point of
   * P-256.
   */
  verifyingKey(publicKey: Uint8Array): VerifyingKey;
  /** From a 32-byte private scalar. */
  signingKey(privateKey: Uint8Array): SigningKey;
}

export interface VerifyingKey {
  readonly publicKey: Uint8Array;
  /** False for anything but a good low-s signature of exactly 64 bytes. Never throws. */
  verify(message: Uint8Array, signature: Uint8Array): boolean;
}

export interface SigningKey extends VerifyingKey {
  sign(message: Uint8Array): Uint8Array;
}

/** Random bytes, injected everywhere so that a simulation is reproduced by its seed. */
export interface Entropy {
  randomBytes(length: number): Uint8Array;
}
