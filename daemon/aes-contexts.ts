/**
 * AES of one key inside OpenSSL, made once: a card's session and the station key encrypt short
 * inputs thousands of times, and making a cipher costs more than they do. CBC goes on from its last
 * block, which XOR into the next first block cancels, so one running cipher serves every IV.
 */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import type { Cipher, Decipher } from 'node:crypto';
import { copyBytes, equalBytes, freshBytes } from '../applet-spec/bytes.ts';
import { AES_BLOCK_BYTES } from '../applet-spec/primitive-input.ts';

const zeroBlock = new Uint8Array(AES_BLOCK_BYTES);

interface Running<C> {
  readonly cipher: C;
  /** The last block of ciphertext that went through. */
  last: Uint8Array;
}

export class AesContexts {
  readonly #key: Uint8Array;
  #encryptor: Running<Cipher> | undefined;
  #decryptor: Running<Decipher> | undefined;
  #cmacSubkeys: readonly [Uint8Array, Uint8Array] | undefined;

  private constructor(key: Uint8Array) {
    this.#key = new Uint8Array(key);
  }

  /** Of this array of bytes, as long as it lives and holds the same key. */
  static of(key: Uint8Array): AesContexts {
    const known = contexts.get(key);
    if (known !== undefined && equalBytes(known.#key, key)) return known;
    const made = new AesContexts(key);
    contexts.set(key, made);
    return made;
  }

  /** Whole blocks; a result of its own. */
  cbcEncrypt(iv: Uint8Array, plaintext: Uint8Array): Uint8Array {
    if (plaintext.length === 0) return new Uint8Array(0);
    return this.#encrypt(copyBytes(plaintext), iv);
  }

  /** The last block under a zero IV; `input` is whole blocks, and is not what it was afterwards. */
  cbcMac(input: Uint8Array): Uint8Array {
    return this.#encrypt(input, zeroBlock).slice(-AES_BLOCK_BYTES);
  }

  /** Changes `input`. */
  #encrypt(input: Uint8Array, iv: Uint8Array): Uint8Array {
    const running = (this.#encryptor ??= this.#makeEncryptor());
    mask(input, running.last, iv);
    const output = plain(running.cipher.update(input));
    running.last = output.slice(-AES_BLOCK_BYTES);
    return output;
  }

  cbcDecrypt(iv: Uint8Array, ciphertext: Uint8Array): Uint8Array {
    if (ciphertext.length === 0) return new Uint8Array(0);
    const running = (this.#decryptor ??= this.#makeDecryptor());
    const output = plain(running.cipher.update(ciphertext));
    mask(output, running.last, iv);
    running.last = ciphertext.slice(-AES_BLOCK_BYTES);
    return output;
  }

  /** One block under a zero IV is the same as the block alone. */
  encryptBlock(block: Uint8Array): Uint8Array {
    return this.cbcEncrypt(zeroBlock, block);
  }

  /** K1 and K2 of RFC 4493 §2.3. */
  get cmacSubkeys(): readonly [Uint8Array, Uint8Array] {
    if (this.#cmacSubkeys === undefined) {
      const k1 = double(this.encryptBlock(zeroBlock));
      this.#cmacSubkeys = [k1, double(k1)];
    }
    return this.#cmacSubkeys;
  }

  #makeEncryptor(): Running<Cipher> {
    const name = `aes-${8 * this.#key.length}-cbc`;
    const cipher = createCipheriv(name, this.#key, zeroBlock).setAutoPadding(false);
    return { cipher, last: zeroBlock };
  }

  #makeDecryptor(): Running<Decipher> {
    const name = `aes-${8 * this.#key.length}-cbc`;
    const cipher = createDecipheriv(name, this.#key, zeroBlock).setAutoPadding(false);
    return { cipher, last: zeroBlock };
  }
}

/** By the array itself: nothing of a key outlives whoever holds it. */
const contexts = new WeakMap<Uint8Array, AesContexts>();

/** AES-CMAC, RFC 4493 §2.4. */
export function aesCmac(key: Uint8Array, message: Uint8Array): Uint8Array {
  const context = AesContexts.of(key);
  const blocks = Math.max(1, Math.ceil(message.length / AES_BLOCK_BYTES));
  const padded = freshBytes(blocks * AES_BLOCK_BYTES);
  padded.set(message);
  const isWhole = message.length === padded.length;
  if (!isWhole) padded[message.length] = 0x80;
  const [k1, k2] = context.cmacSubkeys;
  mask(padded, isWhole ? k1 : k2, zeroBlock, padded.length - AES_BLOCK_BYTES);
  return context.cbcMac(padded);
}

/** One block of `bytes`, in place. */
function mask(bytes: Uint8Array, a: Uint8Array, b: Uint8Array, start = 0): void {
  for (let i = 0; i < AES_BLOCK_BYTES; i++) {
    bytes[start + i] = (bytes[start + i] as number) ^ (a[i] as number) ^ (b[i] as number);
  }
}

/** Multiplication by x in GF(2^128), RFC 4493 §2.3. */
function double(block: Uint8Array): Uint8Array {
  const doubled = new Uint8Array(AES_BLOCK_BYTES);
  let carry = 0;
  for (let i = AES_BLOCK_BYTES - 1; i >= 0; i--) {
    const shifted = ((block[i] ?? 0) << 1) | carry;
    doubled[i] = shifted & 0xff;
    carry = shifted >> 8;
  }
  doubled[AES_BLOCK_BYTES - 1] = (doubled[AES_BLOCK_BYTES - 1] ?? 0) ^ (carry * 0x87);
  return doubled;
}

/** The same bytes, which are nobody else's, as no Buffer: its `slice` would share memory. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
