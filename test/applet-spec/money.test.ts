import { describe, expect, it } from 'vitest';
import { formatMoney } from '../../applet-spec/money.ts';

describe('money in words', () => {
  it.each([
    ['EUR 0.00', 0n, 'EUR'],
    ['EUR 0.09', '9', 'EUR'],
    ['EUR 12.30', 1_230n, 'EUR'],
    ['EUR -0.05', -5n, 'EUR'],
    ['EUR -12.30', '-1230', 'EUR'],
    ['JPY 1230', 1_230n, 'JPY'],
    ['JPY -7', -7n, 'JPY'],
    ['KWD 1.230', 1_230n, 'KWD'],
    ['CLF 0.0001', 1n, 'CLF'],
    ['EUR 184467440737095516.15', 2n ** 64n - 1n, 'EUR'],
  ])('is %s', (words, minorUnits, currency) => {
    expect(formatMoney(minorUnits, currency)).toBe(words);
  });
});
