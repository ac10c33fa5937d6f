import { afterEach, expect, it, vi } from 'vitest';
import { processTerminal } from '../../../driver/cli/terminal.ts';

const { isTTY } = process.stderr;
afterEach(() => {
  vi.restoreAllMocks();
  process.stderr.isTTY = isTTY;
});

it('a bar takes nothing from the terminal that a signal would keep it from giving back', () => {
  const written: unknown[] = [];
  process.stderr.isTTY = true;
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(text) > 0);
  const bar = processTerminal.progressBar('coins');
  bar.update({ loaded: 1, of: 2 });
  const soFar = written.join('');
  bar.stop();
  expect(soFar).toContain('1/2');
  // DECTCEM and DECAWM: no cursor, no wrapping.
  expect(soFar).not.toContain('\x1b[?25l');
  expect(soFar).not.toContain('\x1b[?7l');
});
