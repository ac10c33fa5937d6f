import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex, toUtf8 } from '../../applet-spec/bytes.ts';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import vectors from '../../applet-spec/vectors/primitives.json' with { type: 'json' };
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';

const implementations: readonly [string, Primitives][] = [
  ['noble', noblePrimitives],
  ['OpenSSL', opensslPrimitives],
];

const scalar = fromHex('c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721');
const groupOrder = fromHex('ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551');
const halfOrder = 0x7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8n;

describe.each(implementations)('primitives of %s', (_, primitives) => {
  it.each(vectors.sha256)('SHA-256: $comment', ({ message, digest }) => {
    const bytes = fromHex(message);
    expect(toHex(primitives.sha256(bytes))).toBe(digest);
    expect(toHex(primitives.sha256(bytes.subarray(0, 1), bytes.subarray(1)))).toBe(digest);
  });

  it.each([64, 2_047, 2_048, 2_049, 9_000])('SHA-256 of parts of %i bytes together', (length) => {
    const bytes = Uint8Array.from({ length }, (_, i) => i * 7);
    const parts = [bytes.subarray(0, 20), bytes.subarray(20, 50), bytes.subarray(50)];
    expect(primitives.sha256(...parts)).toEqual(primitives.sha256(bytes));
  });

  it.each(vectors.aesCmac)('AES-CMAC: $comment', ({ key, message, mac }) => {
    expect(toHex(primitives.aesCmac(fromHex(key), fromHex(message)))).toBe(mac);
  });

  it.each(vectors.aesCbc)('AES-CBC: $comment', ({ key, iv, plaintext, ciphertext }) => {
    const [k, v] = [fromHex(key), fromHex(iv)];
    expect(toHex(primitives.aesCbcEncrypt(k, v, fromHex(plaintext)))).toBe(ciphertext);
    expect(toHex(primitives.aesCbcDecrypt(k, v, fromHex(ciphertext)))).toBe(plaintext);
  });

  it.each(vectors.aesEcb)('AES block: $comment', ({ key, block, encrypted }) => {
    expect(toHex(primitives.aesEcbEncryptBlock(fromHex(key), fromHex(block)))).toBe(encrypted);
  });

  it.each(vectors.aesGcm)('AES-GCM: $comment', (vector) => {
    const [key, nonce] = [fromHex(vector.key), fromHex(vector.nonce)];
    const [plaintext, data] = [fromHex(vector.plaintext), fromHex(vector.associatedData)];
    const sealed = primitives.aesGcmSeal(key, nonce, plaintext, data);
    expect(toHex(sealed)).toBe(vector.sealed);
    expect(primitives.aesGcmOpen(key, nonce, sealed, data)).toEqual(plaintext);
  });

  it('AES-GCM: opens nothing that was changed anywhere', () => {
    const [key, nonce] = [new Uint8Array(32).fill(1), new Uint8Array(12).fill(2)];
    const data = toUtf8('header');
    const sealed = primitives.aesGcmSeal(key, nonce, toUtf8('a coin secret'), data);
    for (let i = 0; i < sealed.length; i++) {
      const changed = sealed.map((byte, at) => (at === i ? byte ^ 0x80 : byte));
      expect(primitives.aesGcmOpen(key, nonce, changed, data)).toBeUndefined();
    }
    for (let length = 0; length < sealed.length; length++) {
      const cut = sealed.subarray(0, length);
      expect(primitives.aesGcmOpen(key, nonce, cut, data)).toBeUndefined();
    }
    expect(primitives.aesGcmOpen(key, nonce, sealed, toUtf8('Header'))).toBeUndefined();
    expect(
      primitives.aesGcmOpen(
        key,
        nonce.map((b) => b ^ 1),
        sealed,
        data,
      ),
    ).toBeUndefined();
    expect(
      primitives.aesGcmOpen(
        key.map((b) => b ^ 1),
        nonce,
        sealed,
        data,
      ),
    ).toBeUndefined();
  });

  it.each(vectors.poly1305)('Poly1305: $comment', ({ key, message, mac }) => {
    expect(toHex(primitives.poly1305(fromHex(key), fromHex(message)))).toBe(mac);
  });

  it.each(vectors.ecdsa)('ECDSA: $comment', ({ privateKey, publicKey, message, signature }) => {
    const signingKey = primitives.signingKey(fromHex(privateKey));
    expect(toHex(signingKey.publicKey)).toBe(publicKey);
    const verifyingKey = primitives.verifyingKey(fromHex(publicKey));
    expect(verifyingKey.verify(fromHex(message), fromHex(signature))).toBe(true);
    expect(signingKey.verify(fromHex(message), fromHex(signature))).toBe(true);
    const own = signingKey.sign(fromHex(message));
    expect(verifyingKey.verify(fromHex(message), own)).toBe(true);
  });

  it.each(vectors.ecdsaVerdicts)('ECDSA verdict: $comment', (vector) => {
    const key = primitives.verifyingKey(fromHex(vector.publicKey));
    const verdict = key.verify(fromHex(vector.message), fromHex(vector.signature));
    expect(verdict).toBe(vector.tags.includes('valid'));
  });

  it.each(vectors.refusedPublicKeys)('no public key: $comment', ({ publicKey }) => {
    expect(() => primitives.verifyingKey(fromHex(publicKey))).toThrow(RangeError);
  });

  it('signs with low s, always', () => {
    const key = primitives.signingKey(scalar);
    for (let i = 0; i < 40; i++) {
      const signature = key.sign(Uint8Array.of(i));
      expect(signature).toHaveLength(64);
      expect(BigInt(`0x${toHex(signature.subarray(32))}`)).toBeLessThanOrEqual(halfOrder);
      expect(key.verify(Uint8Array.of(i), signature)).toBe(true);
    }
  });

  it.each([
    ['zero', new Uint8Array(32)],
    ['the order', groupOrder],
    ['all ones', new Uint8Array(32).fill(0xff)],
    ['31 bytes', scalar.subarray(1)],
    ['33 bytes', concatBytes(Uint8Array.of(0), scalar)],
  ])('no private key: %s', (_name, privateKey) => {
    expect(() => primitives.signingKey(privateKey)).toThrow(RangeError);
  });

  it.each<[string, (p: Primitives) => unknown]>([
    ['CMAC key', (p) => p.aesCmac(new Uint8Array(31), new Uint8Array(1))],
    ['CBC key', (p) => p.aesCbcEncrypt(new Uint8Array(8), new Uint8Array(16), new Uint8Array(16))],
    [
      'CBC vector',
      (p) => p.aesCbcEncrypt(new Uint8Array(16), new Uint8Array(8), new Uint8Array(16)),
    ],
    [
      'CBC blocks',
      (p) => p.aesCbcDecrypt(new Uint8Array(16), new Uint8Array(16), new Uint8Array(17)),
    ],
    ['ECB block', (p) => p.aesEcbEncryptBlock(new Uint8Array(16), new Uint8Array(32))],
    ['GCM key', (p) => p.aesGcmSeal(new Uint8Array(16), new Uint8Array(12), scalar, scalar)],
    ['GCM nonce', (p) => p.aesGcmOpen(new Uint8Array(32), new Uint8Array(13), scalar, scalar)],
    ['Poly1305 key', (p) => p.poly1305(new Uint8Array(16), new Uint8Array(1))],
  ])('refuses a wrong length with RangeError: %s', (_name, call) => {
    expect(() => call(primitives)).toThrow(RangeError);
  });

  it('returns plain Uint8Arrays that share no memory with their inputs', () => {
    const [key, iv, block] = [new Uint8Array(32), new Uint8Array(16), new Uint8Array(16)];
    const sealed = primitives.aesGcmSeal(key, new Uint8Array(12), block, block);
    const results = [
      primitives.sha256(block),
      primitives.aesCmac(key, block),
      primitives.aesCbcEncrypt(key, iv, block),
      primitives.aesCbcDecrypt(key, iv, block),
      primitives.aesEcbEncryptBlock(key, block),
      sealed,
      primitives.aesGcmOpen(key, new Uint8Array(12), sealed, block),
      primitives.poly1305(key, block),
      primitives.signingKey(scalar).sign(block),
      primitives.signingKey(scalar).publicKey,
    ];
    for (const result of results) expect(Object.getPrototypeOf(result)).toBe(Uint8Array.prototype);
    expect([key, iv, block].every((bytes) => bytes.every((byte) => byte === 0))).toBe(true);
    const publicKey = primitives.signingKey(scalar).publicKey.slice();
    const verifyingKey = primitives.verifyingKey(publicKey);
    const signature = primitives.signingKey(scalar).sign(block);
    publicKey.fill(0);
    expect(verifyingKey.verify(block, signature)).toBe(true);
  });
});

describe('noble against OpenSSL', () => {
  it('each verifies what the other signs', () => {
    const message = toUtf8('two implementations check each other');
    const [noble, openssl] = [
      noblePrimitives.signingKey(scalar),
      opensslPrimitives.signingKey(scalar),
    ];
    expect(noble.publicKey).toEqual(openssl.publicKey);
    expect(openssl.verify(message, noble.sign(message))).toBe(true);
    expect(noble.verify(message, openssl.sign(message))).toBe(true);
  });

  it.each(vectors.ecdsa)('noble signs as RFC 6979 says: $comment', (vector) => {
    const key = noblePrimitives.signingKey(fromHex(vector.privateKey));
    expect(toHex(key.sign(fromHex(vector.message)))).toBe(vector.signature);
  });
});
