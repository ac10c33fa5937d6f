import { beforeEach, describe, expect, it } from 'vitest';
import { LogPacer, pacedLinesMost, pacedPartiesMost } from '../../../daemon/station/log-pacer.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';

let clock: VirtualClock;
let pacer: LogPacer;
let lines: string[];

beforeEach(() => {
  clock = new VirtualClock();
  pacer = new LogPacer(clock);
  lines = [];
});

function say(event: string, party: string, times = 1): void {
  for (let i = 0; i < times; i++) {
    pacer.pace(
      event,
      party,
      () => lines.push(`${event} ${party}`),
      (leftOut, of) => lines.push(`${event} ${of ?? 'several'}: ${String(leftOut)} left out`),
    );
  }
}

const all = (line: string): string[] => Array.from({ length: pacedLinesMost }, () => line);

describe('a minute of one event with one party', () => {
  it('is written whole while it is short, and sets no alarm', () => {
    say('refused', 'q1', pacedLinesMost);
    expect(lines).toEqual(all('refused q1'));
    expect(clock.pending).toBe(0);
  });

  it('says at its end, once, how many lines were left out', () => {
    say('refused', 'q1', pacedLinesMost);
    clock.advance(20_000);
    say('refused', 'q1', 990);
    clock.advance(39_999);
    expect(lines).toEqual(all('refused q1'));
    clock.advance(1);
    expect(lines).toEqual([...all('refused q1'), 'refused q1: 990 left out']);
    clock.advance(600_000);
    expect(lines).toHaveLength(pacedLinesMost + 1);
  });

  it('is followed by a new one', () => {
    say('refused', 'q1', 100);
    clock.advance(60_000);
    say('refused', 'q1', 3);
    expect(lines.slice(pacedLinesMost)).toEqual([
      'refused q1: 90 left out',
      ...Array.from({ length: 3 }, () => 'refused q1'),
    ]);
  });

  it('takes no line from another event, or from another party', () => {
    say('refused', 'q1', 100);
    say('refused', 'q3');
    say('link down', 'q1');
    expect(lines.slice(pacedLinesMost)).toEqual(['refused q3', 'link down q1']);
  });
});

it('the end says what was left out until then, and leaves no alarm', () => {
  say('refused', 'q1', 12);
  say('refused', 'q3', 11);
  pacer.close();
  expect(lines.slice(-2)).toEqual(['refused q1: 2 left out', 'refused q3: 1 left out']);
  expect(clock.pending).toBe(0);
  say('refused', 'q1');
  expect(lines.at(-1)).toBe('refused q1');
});

it('many parties are paced together beyond so many, and each alone again a minute later', () => {
  for (let i = 0; i < 1_000; i++) say('stranger', `192.0.2.${String(i)}`);
  expect(lines).toHaveLength(pacedPartiesMost + pacedLinesMost);
  clock.advance(60_000);
  const leftOut = 1_000 - lines.length + 1;
  expect(lines.at(-1)).toBe(`stranger several: ${String(leftOut)} left out`);
  say('stranger', '192.0.2.999');
  expect(lines.at(-1)).toBe('stranger 192.0.2.999');
});

it('a clock that is set back begins a new minute, and what was left out is said', () => {
  let backMs = 0;
  pacer = new LogPacer({
    nowMs: () => clock.nowMs() - backMs,
    after: (ms, run) => clock.after(ms, run),
  });
  say('refused', 'q1', 15);
  backMs = 3_600_000;
  say('refused', 'q1');
  expect(lines.slice(pacedLinesMost)).toEqual(['refused q1: 5 left out', 'refused q1']);
});
