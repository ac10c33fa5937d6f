import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Fibre, secretKeyRate } from '../../../emulator/qkd/fibre.ts';
import type { FibreOptions } from '../../../emulator/qkd/fibre.ts';

const base: FibreOptions = { lengthKm: 50, seed: 'fibre', startMs: 0, initialBits: 0 };

describe('the fibre', () => {
  it('follows R = 17.094 Mbit/s × 10^(−αL/10)', () => {
    expect(secretKeyRate(0)).toBe(17.094e6);
    expect(secretKeyRate(50)).toBeCloseTo(1.7094e6, 0);
    expect(secretKeyRate(100, 0.24)).toBeCloseTo(17.094e6 * 10 ** -2.4, 0);
  });

  it('yields about its rate, in blocks', () => {
    const fibre = new Fibre({ ...base, rateBitsPerSecond: 10_000, blockBits: 5_000 });
    expect(fibre.storedBits(499)).toBe(0);
    expect(fibre.storedBits(500)).toBeGreaterThan(0);
    const afterMinute = fibre.storedBits(60_000);
    expect(afterMinute).toBeGreaterThan(0.9 * 600_000);
    expect(afterMinute).toBeLessThan(1.1 * 600_000);
  });

  it('never stores more than it can', () => {
    const fibre = new Fibre({ ...base, storeBits: 1_000 });
    expect(fibre.storedBits(3_600_000)).toBe(1_000);
  });

  it('yields nothing while the error rate is 11 % or more', () => {
    const fibre = new Fibre({ ...base, rateBitsPerSecond: 10_000, blockBits: 1_000 });
    const before = fibre.storedBits(10_000);
    fibre.disturb(0.11, 10_000);
    expect(fibre.storedBits(20_000)).toBe(before);
    expect(fibre.errorRate).toBe(0.11);
    fibre.disturb(undefined, 20_000);
    expect(fibre.storedBits(30_000)).toBeGreaterThan(before);
    expect(fibre.errorRate).toBeLessThan(0.03);
  });

  it('gives only what it has', () => {
    const fibre = new Fibre({ ...base, rateBitsPerSecond: 1, initialBits: 300 });
    expect(fibre.take(256, 0)).toBe(true);
    expect(fibre.take(256, 0)).toBe(false);
    expect(fibre.storedBits(0)).toBe(44);
  });

  it('depends on its seed alone, not on when it is asked', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 20 }),
        (seed, steps) => {
          const options = { ...base, seed, rateBitsPerSecond: 50_000, storeBits: 200_000 };
          const often = new Fibre(options);
          let nowMs = 0;
          for (const step of steps) often.storedBits((nowMs += step));
          const once = new Fibre(options);
          expect(once.storedBits(nowMs)).toBe(often.storedBits(nowMs));
          expect(once.errorRate).toBe(often.errorRate);
        },
      ),
    );
  });
});
