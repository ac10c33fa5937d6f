import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { deriveKey } from '../../applet-spec/kdf.ts';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import vectors from '../../applet-spec/vectors/kdf.json' with { type: 'json' };
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';

const key = new Uint8Array(32).fill(7);
const context = new Uint8Array(4);

describe('the one KDF', () => {
  it.each(vectors.kdf)('$comment', (vector) => {
    const purpose = { ...vector.purpose, context: fromHex(vector.purpose.context) };
    for (const primitives of [noblePrimitives, opensslPrimitives]) {
      const derived = deriveKey(primitives, fromHex(vector.key), purpose, vector.lengthBytes);
      expect(toHex(derived)).toBe(vector.derived);
    }
  });

  it('gives unrelated keys when any field or the length differs', () => {
    const purposes = [
      { label: 'a', use: 'b', context },
      { label: 'a', use: 'c', context },
      { label: 'b', use: 'b', context },
      { label: 'a', use: 'b', direction: 'c', context },
      { label: 'a', use: 'b', direction: 'd', context },
      { label: 'a', use: 'b', context: new Uint8Array(5) },
    ];
    const derived = purposes.map((purpose) => toHex(deriveKey(noblePrimitives, key, purpose)));
    derived.push(toHex(deriveKey(noblePrimitives, key, { label: 'a', use: 'b', context }, 31)));
    expect(new Set(derived.map((text) => text.slice(0, 16))).size).toBe(derived.length);
  });

  it.each([
    ['a 16-byte key', new Uint8Array(16), 'a', 32, 4],
    ['a 33-byte key', new Uint8Array(33), 'a', 32, 4],
    ['a label with a colon', key, 'a:b', 32, 4],
    ['an empty label', key, '', 32, 4],
    ['a label with a zero', key, 'a\0', 32, 4],
    ['a label beyond ASCII', key, 'é', 32, 4],
    ['a long label', key, 'a'.repeat(64), 32, 4],
    ['no output', key, 'a', 0, 4],
    ['33 bytes out', key, 'a', 33, 4],
    ['a broken length', key, 'a', 1.5, 4],
    ['a context of 256 bytes', key, 'a', 32, 256],
  ])('refuses %s', (_name, badKey, label, length, contextBytes) => {
    const purpose = { label, use: 'use', context: new Uint8Array(contextBytes) };
    expect(() => deriveKey(noblePrimitives, badKey, purpose, length)).toThrow(RangeError);
  });
});
