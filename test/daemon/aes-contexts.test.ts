import { createCipheriv, createDecipheriv } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AesContexts } from '../../daemon/aes-contexts.ts';
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';

const block = fc.uint8Array({ minLength: 16, maxLength: 16 });
const steps = fc.array(
  fc.record({
    encrypts: fc.boolean(),
    keyPlace: fc.nat(2),
    iv: block,
    blocks: fc.array(block, { maxLength: 5 }),
  }),
  { maxLength: 12 },
);

function joined(blocks: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(blocks.flatMap((bytes) => [...bytes]));
}

/** OpenSSL's own answer, from a cipher that is used once. */
function fresh(encrypts: boolean, key: Uint8Array, iv: Uint8Array, bytes: Uint8Array): Uint8Array {
  const make = encrypts ? createCipheriv : createDecipheriv;
  const cipher = make(`aes-${8 * key.length}-cbc`, key, iv).setAutoPadding(false);
  return Uint8Array.from(Buffer.concat([cipher.update(bytes), cipher.final()]));
}

describe('a running cipher', () => {
  it('answers like a fresh one, however keys, directions and IVs alternate', () => {
    const keys = [16, 24, 32].map((length) => new Uint8Array(length).fill(length));
    fc.assert(
      fc.property(steps, (made) => {
        for (const { encrypts, keyPlace, iv, blocks } of made) {
          const key = keys[keyPlace] ?? new Uint8Array(32);
          const input = joined(blocks);
          const before = input.slice();
          const contexts = AesContexts.of(key);
          const output = encrypts ? contexts.cbcEncrypt(iv, input) : contexts.cbcDecrypt(iv, input);
          expect(output).toEqual(fresh(encrypts, key, iv, before));
          expect(input).toEqual(before);
        }
      }),
    );
  });

  it('is not used for other bytes in the same array', () => {
    const key = new Uint8Array(32).fill(1);
    const message = new Uint8Array(40).fill(7);
    const first = opensslPrimitives.aesCmac(key, message);
    key.fill(2);
    expect(opensslPrimitives.aesCmac(key, message)).toEqual(
      opensslPrimitives.aesCmac(new Uint8Array(32).fill(2), message),
    );
    key.fill(1);
    expect(opensslPrimitives.aesCmac(key, message)).toEqual(first);
  });

  it('gives bytes of their own', () => {
    const contexts = AesContexts.of(new Uint8Array(32).fill(3));
    const iv = new Uint8Array(16);
    const first = contexts.cbcEncrypt(iv, new Uint8Array(16));
    const copy = first.slice();
    first.fill(0);
    expect(contexts.cbcEncrypt(iv, new Uint8Array(16))).toEqual(copy);
  });
});
