import { describe, expect, it } from 'vitest';
import { toHex } from '../../applet-spec/bytes.ts';
import { systemEntropy } from '../../daemon/entropy.ts';

describe('the system’s generator', () => {
  it('gives as many bytes as are asked for, short or long', () => {
    for (const length of [0, 1, 16, 32, 63, 64, 65, 4_096, 10_000]) {
      expect(systemEntropy.randomBytes(length)).toHaveLength(length);
    }
  });

  it('never gives a piece twice, nor one that was left blank', () => {
    const pieces = Array.from({ length: 2_000 }, (_, i) => {
      const piece = systemEntropy.randomBytes(16 + (i % 49));
      return toHex(piece.subarray(0, 16));
    });
    expect(new Set(pieces).size).toBe(pieces.length);
    expect(pieces.filter((piece) => piece.includes('00000000'))).toEqual([]);
  });

  it('gives memory that is the receiver’s alone', () => {
    const mine = systemEntropy.randomBytes(32);
    const kept = mine.slice();
    const next = systemEntropy.randomBytes(32);
    next.fill(0);
    expect(mine).toEqual(kept);
    expect(mine.buffer.byteLength).toBe(32);
  });
});
