/** `keytoll` used wrongly, from outside: what is wrong, one piece of advice, nothing left. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { programFile, programRun, shellRun } from '../../program-run.ts';

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-mistakes-'));
  mkdirSync(join(folder, 'letters'));
  writeFileSync(join(folder, 'letters', 'one'), 'dear bob');
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

it(
  'without a card there is one piece of advice, and a folder that is no wallet stays as it is',
  { timeout: 30_000 },
  async () => {
    const words = ['--wallet', 'letters', '--reader', 'virtual:./slot', '--pin', '1234', 'keys'];
    const { exitCode, out, err } = await programRun('keytoll', folder, words);
    expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' });
    expect(err).toMatch(
      /^keytoll: no card in virtual:\S+slot, as none has connected: insert the card, or name its/,
    );
    expect(err.split('\n')).toHaveLength(2);
    expect(readdirSync(join(folder, 'letters'))).toEqual(['one']);
  },
);

it.each([['payments'], ['audit'], ['receive', '--message', 'eEWAICTH']])(
  'in a folder that is no wallet `keytoll %s` says how to set one up, and makes none',
  async (...words) => {
    const given = ['--wallet', 'new', '--reader', 'virtual:./slot', '--pin', '1234', ...words];
    const { exitCode, err } = await programRun('keytoll', folder, given);
    expect(err).toMatch(/^keytoll: this wallet .*: `keytoll card init --station URL --ca FILE`/);
    expect(exitCode).toBe(1);
    expect(readdirSync(folder)).not.toContain('new');
  },
);

it(
  'an agent that was given a wrong PIN ends, and has cost one try',
  { timeout: 30_000 },
  async () => {
    await programRun('keytoll-emulator', folder, ['card', 'make', 'card', '--delivery', 'keys']);
    await programRun('keytolld', folder, ['ca', 'init', 'ca', '--name', 'root']);
    const script = `
      "$0" ${programFile('keytoll-emulator')} card run card --reader ./slot >/dev/null & card=$!
      keytoll() { "$0" ${programFile('keytoll')} --wallet wallet --reader virtual:./slot "$@"; }
      init='card init --new-puk 31415926 --station ws://127.0.0.1:1 --ca ca/root.pem'
      keytoll --pin 482615 $init 2>/dev/null
      keytoll --pin 111111 agent; echo $?
      keytoll card info | grep PIN
      kill $card; wait $card`;
    const { out, err } = await shellRun('keytoll', folder, script);
    expect(err).toBe('keytoll: wrong PIN, 2 tries left\n');
    expect(out).toBe('3\nPIN, PUK    2 and 10 tries left\n');
  },
);

it(
  'an emulated card that is about to connect is listed, and none that is not there',
  { timeout: 30_000 },
  async () => {
    const make = ['card', 'make', 'listed', '--delivery', 'of-listed'];
    await programRun('keytoll-emulator', folder, make);
    const list = '"$0" "$1" --reader virtual:./listed.sock card list';
    const { out } = await shellRun(
      'keytoll',
      folder,
      `"$0" ${programFile('keytoll-emulator')} card run listed --reader ./listed.sock >ran & card=$!
       ${list}; kill $card; wait $card; ${list}`,
    );
    expect(out).toMatch(/^card {3}virtual:\S+listed\.sock\nempty {2}virtual:\S+listed\.sock\n$/);
  },
);

it('where the reader of errors has gone, the exit code is the same', async () => {
  const script = '{ "$0" "$1" foo; echo $? >&3; } 3>code 2>&1 | true; cat code';
  expect(await shellRun('keytoll', folder, script)).toMatchObject({ out: '2\n', err: '' });
});

it('where the disk is full, that is one line and exit code 1', async () => {
  const { exitCode, err } = await shellRun('keytoll', folder, '"$0" "$1" --help >/dev/full');
  expect(err).toMatch(/^keytoll: what it printed was lost: ENOSPC[^\n]*\n$/);
  expect(exitCode).toBe(1);
});
