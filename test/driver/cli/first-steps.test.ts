/** What a person who does not know `keytoll` yet does first. */
import { readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { runKeytoll } from '../../../driver/cli/program.ts';
import { programRun } from '../../program-run.ts';
import { TestTerminal } from './test-terminal.ts';

const manifest = readFileSync(join(import.meta.dirname, '../../../package.json'), 'utf8');
const manifestVersion = /"version": "(.*)"/.exec(manifest)?.[1];

async function keytoll(args: string[], terminal = new TestTerminal(), environment = {}) {
  const exitCode = await runKeytoll(args, terminal, environment);
  return { exitCode, terminal };
}

describe('a stranger to it', () => {
  it('takes a variable that is empty for one that is not set', async () => {
    const unset = { KEYTOLL_PIN: '', KEYTOLL_PUK: '', KEYTOLL_READER: '' };
    for (const [reference, words] of [
      ['pin', /Old PIN is needed/],
      ['puk', /Old PUK is needed/],
    ] as const) {
      const { terminal } = await keytoll(['card', reference, 'change'], undefined, unset);
      expect(terminal.notes[0]).toMatch(words);
    }
  });

  it('says that nothing was done where a person stops it at a question', async () => {
    const terminal = new TestTerminal('y');
    terminal.askSecret = () =>
      Promise.reject(Object.assign(new Error('force closed'), { name: 'ExitPromptError' }));
    const { exitCode } = await keytoll(['card', 'pin', 'change'], terminal);
    expect(exitCode).toBe(2);
    expect(terminal.notes).toEqual(['keytoll: stopped at a question; nothing was done']);
  });

  it('says in JSON, too, that a command is missing', async () => {
    for (const args of [[], ['card'], ['card', 'pin']]) {
      const { terminal } = await keytoll([...args, '--json']);
      expect(JSON.parse(terminal.out[0] ?? '')).toEqual({
        error: { code: 'usage', message: 'a command is missing' },
      });
    }
  });

  it('tells the version, as the other programs do', async () => {
    const { exitCode, terminal } = await keytoll(['--version']);
    expect(exitCode).toBe(0);
    expect(terminal.out).toEqual([manifestVersion]);
    for (const program of ['keytoll', 'keytolld', 'keytoll-emulator'] as const) {
      const { out } = await programRun(program, tmpdir(), ['--version']);
      expect(out).toBe(`${manifestVersion}\n`);
    }
  });
});
