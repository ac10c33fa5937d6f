import { describe, expect, it } from 'vitest';
import { SilenceWatch } from '../../../driver/reader/silence-watch.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';

function watchOver(clock: VirtualClock): {
  readonly watch: SilenceWatch;
  readonly passed: number[];
} {
  const passed: number[] = [];
  const bounds = { silenceMs: 1_000, commandMs: 3_000 };
  const watch = new SilenceWatch(clock, bounds, (ms) => passed.push(ms));
  watch.begin();
  return { watch, passed };
}

describe('the watch over a card at work', () => {
  it('tells of a silence from the last sign of life', () => {
    const clock = new VirtualClock();
    const { watch, passed } = watchOver(clock);
    clock.advance(700);
    watch.alive();
    clock.advance(999);
    expect(passed).toEqual([]);
    clock.advance(1);
    expect(passed).toEqual([1_000]);
    expect(clock.pending).toBe(0);
  });

  it('sets one alarm, however many signs of life there are', () => {
    const clock = new VirtualClock();
    const { watch, passed } = watchOver(clock);
    for (let ms = 0; ms < 2_900; ms += 100) {
      clock.advance(100);
      watch.alive();
      expect(clock.pending).toBe(1);
    }
    expect(passed).toEqual([]);
    clock.advance(100);
    expect(passed).toEqual([3_000]);
  });

  it('is over with its command, and begins again with the next', () => {
    const clock = new VirtualClock();
    const { watch, passed } = watchOver(clock);
    clock.advance(999);
    watch.end();
    expect(clock.pending).toBe(0);
    watch.begin();
    clock.advance(999);
    expect(passed).toEqual([]);
    watch.end();
  });
});
