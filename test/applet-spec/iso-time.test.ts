import { describe, expect, it } from 'vitest';
import { isoTime, isoTimeOfMs } from '../../applet-spec/iso-time.ts';

describe('a time for people', () => {
  it('is ISO 8601 in UTC', () => {
    expect(isoTime(1_782_864_000n)).toBe('2026-07-01T00:00:00.000Z');
    expect(isoTimeOfMs(1_782_864_000_250)).toBe('2026-07-01T00:00:00.250Z');
  });

  it.each([253_402_300_800n, 2n ** 63n, 2n ** 64n - 1n])(
    'of %s seconds, whoever signed them, is the last moment that it can say',
    (seconds) => {
      expect(isoTime(seconds)).toBe('9999-12-31T23:59:59.000Z');
      expect(isoTimeOfMs(1_000 * Number(seconds))).toBe('9999-12-31T23:59:59.000Z');
    },
  );
});
