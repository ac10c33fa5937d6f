import { describe, expect, it } from 'vitest';
import { against, percentile, tableOf } from './bench/figure.ts';

describe('a figure', () => {
  it('held against a reference has the ratio of the two', () => {
    const figure = { name: 'payment.throughput', value: 400, unit: '1/s' };
    expect(against(figure, { name: 'limit', value: 3_000 })).toEqual({
      ...figure,
      reference: { name: 'limit', value: 3_000 },
      ratio: 0.133,
    });
  });

  it('is one line of a table, its columns in line', () => {
    const table = tableOf([
      { name: 'a', value: 5, unit: 'ms' },
      against({ name: 'longer', value: 20, unit: '1/s' }, { name: 'limit', value: 40 }),
    ]);
    expect(table.split('\n')).toEqual([
      'figure  value  unit  reference  ratio',
      'a           5  ms',
      'longer     20  1/s   limit 40   0.5',
    ]);
  });
});

describe('a percentile', () => {
  it('is a sample, in whatever order they came', () => {
    const samples = Array.from({ length: 100 }, (_, i) => (37 * i) % 100);
    expect(percentile(samples, 0.5)).toBe(50);
    expect(percentile(samples, 0.99)).toBe(99);
    expect(percentile([7], 0.99)).toBe(7);
    expect(percentile([], 0.5)).toBeNaN();
  });
});
