import {
  createCipheriv,
  createDecipheriv,
  createPrivateKey,
  createPublicKey,
  hash,
  sign as opensslSign,
  verify as opensslVerify,
} from 'node:crypto';
import type { KeyObject, VerifyKeyObjectInput } from 'node:crypto';
import { poly1305 } from '@noble/ciphers/_poly1305.js';
import {
  bytesToUint,
  concatBytes,
  fromHex,
  fromLatin1,
  toLatin1,
  uintToBytes,
  wipe,
} from '../applet-spec/bytes.ts';
import {
  AES_BLOCK_BYTES,
  GCM_TAG_BYTES,
  P256_PRIVATE_KEY_BYTES,
  P256_PUBLIC_KEY_BYTES,
  P256_SIGNATURE_BYTES,
  requireAesKey,
  requireCbcInput,
  requireGcmInput,
  requireLength,
  requireUncompressedPoint,
} from '../applet-spec/primitive-input.ts';
import { aesCmac, AesContexts } from './aes-contexts.ts';
import type { Primitives, SigningKey, VerifyingKey } from '../applet-spec/primitives.ts';

const p256Order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
const halfOrder = uintToBytes(p256Order >> 1n, 32);

/** RFC 5480 SubjectPublicKeyInfo of a P-256 key, up to the 65 bytes of the point. */
const spkiPrefix = fromHex('3059301306072a8648ce3d020106082a8648ce3d030107034200');
/** RFC 5208 PrivateKeyInfo of a P-256 key, up to the 32 bytes of the scalar. */
const pkcs8Prefix = fromHex(
  '3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420',
);

/** `Primitives` for stations, on OpenSSL. Signing is randomised; results are plain Uint8Arrays. */
export const opensslPrimitives: Primitives = {
  sha256(...parts) {
    const [first] = parts;
    if (parts.length === 1 && first !== undefined) return digestOf(first);
    const whole = joined(parts);
    const digest = digestOf(whole);
    // One of the parts may have been a secret.
    wipe(whole);
    return digest;
  },
  aesCmac(key, message) {
    requireAesKey(key);
    return aesCmac(key, message);
  },
  aesCbcEncrypt(key, iv, plaintext) {
    requireCbcInput(key, iv, plaintext);
    return AesContexts.of(key).cbcEncrypt(iv, plaintext);
  },
  aesCbcDecrypt(key, iv, ciphertext) {
    requireCbcInput(key, iv, ciphertext);
    return AesContexts.of(key).cbcDecrypt(iv, ciphertext);
  },
  aesEcbEncryptBlock(key, block) {
    requireAesKey(key);
    requireLength(block, AES_BLOCK_BYTES, 'an AES block');
    return AesContexts.of(key).encryptBlock(block);
  },
  aesGcmSeal(key, nonce, plaintext, associatedData) {
    requireGcmInput(key, nonce);
    const cipher = createCipheriv('aes-256-gcm', key, nonce);
    cipher.setAAD(associatedData);
    // GCM is a stream: `final` has nothing to add but the tag.
    const ciphertext = cipher.update(plaintext);
    cipher.final();
    return concatBytes(ciphertext, cipher.getAuthTag());
  },
  aesGcmOpen(key, nonce, sealed, associatedData) {
    requireGcmInput(key, nonce);
    const tagOffset = sealed.length - GCM_TAG_BYTES;
    if (tagOffset < 0) return undefined;
    const options = { authTagLength: GCM_TAG_BYTES };
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, options);
    decipher.setAAD(associatedData);
    decipher.setAuthTag(sealed.subarray(tagOffset));
    const plaintext = decipher.update(sealed.subarray(0, tagOffset));
    try {
      decipher.final();
    } catch {
      wipe(plaintext);
      return undefined;
    }
    // The same memory, which is nobody else's, without what a Buffer would do to it.
    return new Uint8Array(plaintext.buffer, plaintext.byteOffset, plaintext.length);
  },
  // OpenSSL has Poly1305 alone as an EVP_MAC, which node:crypto does not reach.
  poly1305(oneTimeKey, message) {
    requireLength(oneTimeKey, 32, 'a Poly1305 key');
    return poly1305(message, oneTimeKey);
  },
  verifyingKey: importedOnce,
  signingKey: (privateKey) => OpensslSigningKey.import(privateKey),
};

/** A P-256 public key inside OpenSSL, imported once. */
class OpensslVerifyingKey implements VerifyingKey {
  readonly publicKey: Uint8Array;
  readonly #input: VerifyKeyObjectInput;

  /** Throws RangeError for what is no uncompressed point of P-256. */
  static import(publicKey: Uint8Array): OpensslVerifyingKey {
    requireUncompressedPoint(publicKey);
    return new OpensslVerifyingKey(publicKey, importPoint(publicKey));
  }

  protected constructor(publicKey: Uint8Array, key: KeyObject) {
    this.publicKey = new Uint8Array(publicKey);
    this.#input = { key, dsaEncoding: 'ieee-p1363' };
  }

  verify(message: Uint8Array, signature: Uint8Array): boolean {
    if (!isLowSignature(signature)) return false;
    return opensslVerify('sha256', message, this.#input, signature);
  }
}

/**
 * Stations' and payers' keys come again with every payment, and an import costs two verifications.
 */
const imported = new Map<string, OpensslVerifyingKey>();
const importedMost = 4_096;

function importedOnce(publicKey: Uint8Array): OpensslVerifyingKey {
  const point = toLatin1(publicKey);
  const known = imported.get(point);
  if (known !== undefined) return known;
  const verifyingKey = OpensslVerifyingKey.import(publicKey);
  if (imported.size >= importedMost) imported.clear();
  imported.set(point, verifyingKey);
  return verifyingKey;
}

class OpensslSigningKey extends OpensslVerifyingKey implements SigningKey {
  readonly #privateKey: KeyObject;

  static override import(privateKey: Uint8Array): OpensslSigningKey {
    requireLength(privateKey, P256_PRIVATE_KEY_BYTES, 'a P-256 private key');
    const scalar = bytesToUint(privateKey);
    if (scalar === 0n || scalar >= p256Order) throw new RangeError('no scalar of P-256');
    return new OpensslSigningKey(privateKey);
  }

  private constructor(privateKey: Uint8Array) {
    const der = Buffer.concat([pkcs8Prefix, privateKey]);
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    wipe(der);
    const publicKey = createPublicKey(key);
    const spki = publicKey.export({ format: 'der', type: 'spki' });
    super(spki.subarray(-P256_PUBLIC_KEY_BYTES), publicKey);
    this.#privateKey = key;
  }

  sign(message: Uint8Array): Uint8Array {
    const input = { key: this.#privateKey, dsaEncoding: 'ieee-p1363' } as const;
    return toLowS(plainBytes(opensslSign('sha256', message, input)));
  }
}

const joint = new Uint8Array(2_048);

/** Until the next call and no longer: what is hashed has no need of memory of its own. */
function joined(parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  if (length > joint.length) return concatBytes(...parts);
  let end = 0;
  for (const part of parts) {
    joint.set(part, end);
    end += part.length;
  }
  return joint.subarray(0, length);
}

/** As text and back: a quarter of what a Buffer from OpenSSL costs. */
function digestOf(bytes: Uint8Array): Uint8Array {
  return fromLatin1(hash('sha256', bytes, 'binary'));
}

function importPoint(publicKey: Uint8Array): KeyObject {
  const der = Buffer.concat([spkiPrefix, publicKey]);
  try {
    return createPublicKey({ key: der, format: 'der', type: 'spki' });
  } catch (cause) {
    throw new RangeError('no point of P-256', { cause });
  }
}

/**
 * 64 bytes whose s is at most half the order: OpenSSL accepts either half, the specification one.
 */
function isLowSignature(signature: Uint8Array): boolean {
  if (signature.length !== P256_SIGNATURE_BYTES) return false;
  for (let i = 0; i < halfOrder.length; i++) {
    const difference = (signature[32 + i] ?? 0) - (halfOrder[i] ?? 0);
    if (difference !== 0) return difference < 0;
  }
  return true;
}

function toLowS(signature: Uint8Array): Uint8Array {
  if (isLowSignature(signature)) return signature;
  const s = bytesToUint(signature.subarray(32));
  signature.set(uintToBytes(p256Order - s, 32), 32);
  return signature;
}

/** What OpenSSL made for us alone, as no Buffer: its `slice` would share memory. */
function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
