/** `keytoll-emulator` used wrongly: one line says what is wrong, and nothing is overwritten. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { programRun, shellRun, type Ended } from '../../program-run.ts';

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-mistakes-'));
  writeFileSync(join(folder, 'notes'), 'no folder and no card\n');
  await emulator('qkd init qkd --sae q1 --sae q2');
  await emulator('card make alice.card --delivery alice.json');
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function emulator(line: string): Promise<Ended> {
  return programRun('keytoll-emulator', folder, line.split(' '));
}

describe('a fault is one line, and exit code 1', () => {
  it.each([
    ['qkd init new --sae q1', /^keytoll-emulator qkd init: at least two different SAE IDs/],
    ['qkd init notes --sae q1 --sae q2', /^keytoll-emulator qkd init: EEXIST.*'notes'$/],
    ['qkd init /proc/keytoll/qkd --sae q1 --sae q2', /^keytoll-emulator qkd init: ENOENT.*mkdir/],
    [
      'card make c --delivery d --maker /proc/keytoll/m',
      /\/proc\/keytoll\/m: no card maker can be/,
    ],
    ['qkd run nowhere', /^keytoll-emulator qkd run: nowhere holds no key managers: `keytoll-em/],
    ['qkd run qkd --faults none', /^keytoll-emulator qkd run: ENOENT.*'none'$/],
    ['qkd run qkd --faults notes', /^keytoll-emulator qkd run: the faults are not JSON$/],
    ['card run none --reader ./slot', /card run: none: there is no such card; `keytoll-emula/],
    ['card run notes --reader ./slot', /card run: notes: this is no card$/],
    ['card run alice.card --reader ./slot --faults none', /card run: ENOENT.*'none'$/],
    ['card make alice.card --delivery x.json', /card make: alice.card: there is a card already$/],
  ])('keytoll-emulator %s', async (line, words) => {
    const { exitCode, out, err } = await emulator(line);
    expect(err.trimEnd()).toMatch(words);
    expect({ exitCode, out, lines: err.split('\n').length }).toEqual({
      exitCode: 1,
      out: '',
      lines: 2,
    });
  });

  it('a port that another program has', async () => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const { exitCode, err } = await emulator(`qkd run qkd --port ${String(port)}`);
    server.close();
    expect({ exitCode, lines: err.split('\n').length }).toEqual({ exitCode: 1, lines: 2 });
    expect(err).toMatch(/EADDRINUSE: address already in use 127\.0\.0\.1:\d+/);
  });
});

it('key managers that are there are not made anew: stations would not trust them', async () => {
  const file = join(folder, 'qkd/ca.crt.pem');
  const before = readFileSync(file);
  const { exitCode, err } = await emulator('qkd init qkd --sae q1 --sae q2');
  expect({ exitCode, err }).toEqual({
    exitCode: 1,
    err: 'keytoll-emulator qkd init: qkd has key managers already: name a new folder\n',
  });
  expect(readFileSync(file)).toEqual(before);
});

it.each(['foo', 'qkd run', 'qkd run qkd --port 99999', 'demo --stations 1', 'card'])(
  'a command line that is wrong is exit code 2: keytoll-emulator %s',
  async (line) => {
    expect(await emulator(line)).toMatchObject({ exitCode: 2, out: '' });
  },
);

it('a demo whose reader has enough ends all that it has started', { timeout: 60_000 }, async () => {
  const script = 'export TMPDIR=$PWD; "$0" "$1" demo | head -1; echo "${PIPESTATUS[0]}"; ls';
  const { out, err } = await shellRun('keytoll-emulator', folder, script);
  const [first = '', code, ...left] = out.trimEnd().split('\n');
  expect(first).toContain('A toll road of 3 stations.');
  expect({ code, err }).toEqual({ code: '0', err: '' });
  expect(left.filter((name) => name.startsWith('keytoll-demo'))).toEqual([]);
  const processes = await shellRun('keytoll-emulator', folder, 'ps -eo args');
  expect(processes.out).not.toContain(`${folder}/keytoll-demo`);
});
