import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenBuckets } from '../../daemon/token-buckets.ts';
import { VirtualClock } from '../../emulator/virtual-clock.ts';

const minuteMs = 60_000;

describe('a bucket', () => {
  it('is full for whoever never took anything', () => {
    expect(new TokenBuckets(1, new VirtualClock()).emptyUntilMs('bob')).toBeUndefined();
  });

  it('says when there is a token again, and is right', () => {
    const clock = new VirtualClock();
    const buckets = new TokenBuckets(6, clock);
    for (let i = 0; i < 6; i++) buckets.take('bob');
    const untilMs = buckets.emptyUntilMs('bob') ?? 0;
    expect(untilMs).toBe(clock.nowMs() + 10 * minuteMs);
    clock.advance(10 * minuteMs - 1);
    expect(buckets.emptyUntilMs('bob')).toBeDefined();
    clock.advance(1);
    expect(buckets.emptyUntilMs('bob')).toBeUndefined();
    expect(buckets.emptyUntilMs('alice')).toBeUndefined();
  });

  it('that was overdrawn is empty for as much longer', () => {
    const clock = new VirtualClock();
    const buckets = new TokenBuckets(6, clock);
    for (let i = 0; i < 9; i++) buckets.take('bob');
    expect(buckets.emptyUntilMs('bob')).toBe(clock.nowMs() + 40 * minuteMs);
  });

  it('never holds more than an hour’s worth, whatever is given back', () => {
    const clock = new VirtualClock();
    const buckets = new TokenBuckets(2, clock);
    buckets.take('bob');
    for (let i = 0; i < 5; i++) buckets.giveBack('bob');
    clock.advance(100 * 60 * minuteMs);
    for (let i = 0; i < 2; i++) buckets.take('bob');
    expect(buckets.emptyUntilMs('bob')).toBe(clock.nowMs() + 30 * minuteMs);
  });

  it('is forgotten, and full, once very many others have something out', () => {
    const buckets = new TokenBuckets(1, new VirtualClock());
    buckets.take('first');
    for (let i = 0; i < 65_535; i++) buckets.take(`name ${i}`);
    expect(buckets.emptyUntilMs('first')).toBeDefined();
    buckets.take('one more');
    expect(buckets.emptyUntilMs('first')).toBeUndefined();
    expect(buckets.emptyUntilMs('one more')).toBeDefined();
  });

  it('lets nobody fail more than an hour’s worth twice in any hour (property)', () => {
    const step = fc.record({ afterMinutes: fc.nat(40), tries: fc.nat(8) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 6 }), (steps, n) => {
        const clock = new VirtualClock();
        const buckets = new TokenBuckets(n, clock);
        const failedAtMs: number[] = [];
        for (const { afterMinutes, tries } of steps) {
          clock.advance(afterMinutes * minuteMs);
          for (let i = 0; i < tries; i++) {
            if (buckets.emptyUntilMs('bob') !== undefined) continue;
            buckets.take('bob');
            failedAtMs.push(clock.nowMs());
          }
        }
        for (const startMs of failedAtMs) {
          const endMs = startMs + 60 * minuteMs;
          const inTheHour = failedAtMs.filter((atMs) => atMs >= startMs && atMs <= endMs);
          expect(inTheHour.length).toBeLessThanOrEqual(2 * n);
        }
      }),
    );
  });
});
