import { describe, expect, it } from 'vitest';
import type { VerifyingKey } from '../../../applet-spec/primitives.ts';
import { BatchKey } from '../../../daemon/network/batch-key.ts';
import { opensslPrimitives } from '../../../daemon/openssl-primitives.ts';

const signing = opensslPrimitives.signingKey(new Uint8Array(32).fill(0x21));
const root = new Uint8Array(40).fill(9);
const signature = signing.sign(root);

/** The station's key, and how often it was asked. */
function counted(): VerifyingKey & { asked: number } {
  return {
    publicKey: signing.publicKey,
    asked: 0,
    verify(message, given) {
      this.asked++;
      return signing.verify(message, given);
    },
  };
}

describe('a key that remembers batches', () => {
  it('verifies one root once', () => {
    const key = counted();
    const batchKey = new BatchKey(key);
    expect([1, 2, 3].map(() => batchKey.verify(root, signature))).toEqual([true, true, true]);
    expect(key.asked).toBe(1);
    expect(batchKey.publicKey).toBe(signing.publicKey);
  });

  it('believes nothing but what it has verified', () => {
    const batchKey = new BatchKey(counted());
    batchKey.verify(root, signature);
    const otherRoot = Uint8Array.from(root, (byte, i) => (i === 39 ? byte ^ 1 : byte));
    const otherSignature = Uint8Array.from(signature, (byte, i) => (i === 9 ? byte ^ 1 : byte));
    expect(batchKey.verify(otherRoot, signature)).toBe(false);
    expect(batchKey.verify(root, otherSignature)).toBe(false);
    // The same bytes, cut elsewhere.
    const end = signature.subarray(0, 63);
    expect(batchKey.verify(Uint8Array.of(...signature.subarray(63), ...root), end)).toBe(false);
  });

  it('asks again about what was refused', () => {
    const key = counted();
    const batchKey = new BatchKey(key);
    const forged = signature.slice().fill(1, 0, 8);
    expect([1, 2].map(() => batchKey.verify(root, forged))).toEqual([false, false]);
    expect(key.asked).toBe(2);
  });

  it('forgets the oldest, and then verifies it anew', () => {
    const key = counted();
    const batchKey = new BatchKey(key);
    batchKey.verify(root, signature);
    for (let i = 0; i < 256; i++) {
      const message = Uint8Array.of(i >> 8, i & 0xff);
      batchKey.verify(message, signing.sign(message));
    }
    expect(batchKey.verify(root, signature)).toBe(true);
    expect(key.asked).toBe(258);
  });
});
