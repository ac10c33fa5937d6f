import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
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
