import { describe, expect, it } from 'vitest';
import { isoTime, isoTimeOfMs, secondsOfIsoTime } from '../../applet-spec/iso-time.ts';

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

describe('a time that a person gives', () => {
  it.each([
    ['2026-07-01', 1_782_864_000n],
    ['2026-07-01T00:00Z', 1_782_864_000n],
    ['2026-07-01T12:00:00Z', 1_782_907_200n],
    ['2026-07-01T12:00:00.900Z', 1_782_907_200n],
    ['2024-02-29', 1_709_164_800n],
  ])('%s is taken', (text, seconds) => {
    expect(secondsOfIsoTime(text)).toBe(seconds);
  });

  it.each([
    ['', 'nothing'],
    ['yesterday', 'no date'],
    ['2026-02-29', 'a day that this year has not'],
    ['2026-02-30T12:00:00Z', 'a time of a day that there is not'],
    ['2026-13-01', 'a month that there is not'],
    ['2026-07-01T25:00:00Z', 'an hour that there is not'],
    ['2026-07-01T12:00:00', 'a time of nobody knows which zone'],
    ['2026-07-01T12:00:00+02:00', 'a time of another zone'],
  ])('%j, %s, is not', (text) => {
    expect(secondsOfIsoTime(text)).toBeUndefined();
  });
});
