import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { copyBytes, fromHex, fromLatin1, toHex, toLatin1 } from '../../applet-spec/bytes.ts';

const counted = Uint8Array.from({ length: 700 }, (_, i) => i * 37);
const lengths = Array.from({ length: counted.length + 1 }, (_, length) => length);

describe('bytes as text, of any length', () => {
  it('are what another maker writes in hexadecimal, and come back', () => {
    for (const length of lengths) {
      const bytes = counted.subarray(0, length);
      expect(toHex(bytes)).toBe(Buffer.from(bytes).toString('hex'));
      expect(fromHex(toHex(bytes))).toEqual(bytes);
    }
  });

  it('are what another maker writes in ISO 8859-1, and come back', () => {
    for (const length of lengths) {
      const bytes = counted.subarray(0, length);
      expect(toLatin1(bytes)).toBe(Buffer.from(bytes).toString('latin1'));
      expect(fromLatin1(toLatin1(bytes))).toEqual(bytes);
    }
  });
});

describe('a copy', () => {
  it.each([1, 64, 65, 300])('of %i bytes is no view, and plain, also from a Buffer', (length) => {
    const source = Buffer.from(counted);
    const copy = copyBytes(source, 5, 5 + length);
    source.fill(0);
    expect(copy).toEqual(counted.slice(5, 5 + length));
    expect(copy.constructor).toBe(Uint8Array);
  });
});
