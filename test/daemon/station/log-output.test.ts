import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LogOutput } from '../../../daemon/station/log-output.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';

let folder: string;
let descriptor: number;
let clock: VirtualClock;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-log-'));
  descriptor = openSync(join(folder, 'log'), 'w');
  clock = new VirtualClock();
});
afterEach(() => {
  closeSync(descriptor);
  rmSync(folder, { recursive: true, force: true });
});

const written = (): string => readFileSync(join(folder, 'log'), 'utf8');

it('writes lines in their order, some time after the first of them', async () => {
  const output = new LogOutput(descriptor, clock);
  output.write('one\n');
  output.write('zwei – ü\n');
  expect(written()).toBe('');
  clock.advance(50);
  output.write('three\n');
  await vi.waitFor(() => {
    expect(written()).toBe('one\nzwei – ü\n');
  });
  await vi.waitFor(() => {
    clock.advance(50);
    expect(written()).toBe('one\nzwei – ü\nthree\n');
  });
});

it('writes at once what waits, at the end of the process', () => {
  const output = new LogOutput(descriptor, clock);
  output.write('last words\n');
  output.flushSync();
  output.flushSync();
  expect(written()).toBe('last words\n');
});

it('drops what a full disk does not take, at the end, too, and tries again', async () => {
  const full = openSync('/dev/full', 'w');
  const output = new LogOutput(full, clock);
  output.write('lost\n');
  clock.advance(50);
  output.write('lost, too\n');
  await vi.waitFor(() => {
    clock.advance(50);
    expect(clock.pending).toBe(0);
  });
  output.write('lost at the end\n');
  output.flushSync();
  closeSync(full);
});

it('says how many lines were lost once it can be written again', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
  const writer = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
  const output = new LogOutput(writer, clock);
  const lost: number[] = [];
  output.onLost = (lines) => lost.push(lines);
  // A reader that takes nothing: as much as may wait for it does, and no more.
  const line = `${'x'.repeat(2 ** 20 - 1)}\n`;
  for (let lines = 0; lines < 7; lines++) output.write(line);
  const taken = Buffer.alloc(2 ** 16);
  await vi.waitFor(() => {
    clock.advance(50);
    try {
      readSync(reader, taken);
    } catch {
      // Nothing was written yet.
    }
    expect(lost).toEqual([3]);
  });
  closeSync(reader);
  closeSync(writer);
});
