/** `keytolld` used wrongly: one line says what is wrong and what to do, and nothing is broken. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { programRun, shellRun, type Ended } from '../../program-run.ts';

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-mistakes-'));
  writeFileSync(join(folder, 'notes'), 'no folder, no card and no certificate\n');
  await keytolld('ca init ca --name root');
  await keytolld('init q1 --name q1 --network n --ca ca');
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function keytolld(line: string): Promise<Ended> {
  return programRun('keytolld', folder, line.split(' '));
}

function configured(name: string, change: (toml: string) => string): void {
  const toml = readFileSync(join(folder, 'q1/station.toml'), 'utf8');
  writeFileSync(join(folder, 'q1', name), change(toml));
}

describe('a fault is one line, without a word of help, and exit code 1', () => {
  it.each([
    ['run --config nofile', /^keytolld run: nofile is not there; `keytolld init DIR --name q1/],
    ['run --config q1', /^keytolld run: q1 is a folder: name the station.toml in it$/],
    ['status --config q1/station.toml', /^keytolld status: .*not running/],
    ['account show bob@q2 --config q1/station.toml', /^keytolld account show: bob@q2 is not of/],
    ['account show zed@q1 --config q1/station.toml', /zed@q1 has no account here; run: keytolld/],
    ['enrol a@q1 --delivery none --config q1/station.toml', /^keytolld enrol: none is not there$/],
    ['enrol a@q1 --delivery notes --config q1/station.toml', /^keytolld enrol: notes: card deliv/],
    ['ca crl ca --out none/x.crl', /none\/x\.crl cannot be written: its folder is not there$/],
    ['ca revoke ca --certificate none', /^keytolld ca revoke: none is not there$/],
    [
      'audit --lists notes --config q1/station.toml',
      /^keytolld audit: notes cannot be made a fold/,
    ],
    ['audit --lists notes/x --config q1/station.toml', /notes\/x cannot be made a folder: ENOTDIR/],
    [`payments --payment ${'0'.repeat(64)} --config q1/station.toml`, /no payment 0{64} is kept h/],
    ['init notes --name q5 --network n', /^keytolld init: notes cannot be made a folder: EEXIST/],
    ['init /proc/a/q5 --name q5 --network n', /^keytolld init: \/proc\/a\/q5 cannot be made a fo/],
    [
      'ca init /proc/a/ca --name root',
      /^keytolld ca init: \/proc\/a\/ca cannot be made a folder: E/,
    ],
    ['ca init notes/ca --name root', /notes\/ca cannot be made a folder: EEXIST/],
    ['init q5 --name q5 --network n --ca nowhere', /nowhere has no root.pem: make a CA there/],
  ])('keytolld %s', async (line, words) => {
    const { exitCode, out, err } = await keytolld(line);
    expect(err.trimEnd()).toMatch(words);
    expect({ exitCode, out, lines: err.split('\n').length }).toEqual({
      exitCode: 1,
      out: '',
      lines: 2,
    });
  });

  it.each([
    ['status --json --config nofile', 1, 'bad-configuration', /^nofile is not there/],
    ['account show bob@q2 --json --config q1/station.toml', 1, 'bad-value', /^bob@q2 is not of/],
    ['ca revoke ca --certificate none --json', 1, 'bad-request', /^none is not there$/],
    ['audit --json', 2, 'usage', /^required option '--config <file>' not/],
    [
      'audit --from 2026-12-01 --to 2026-11-01 --json --config q1/station.toml',
      ...[2, 'usage', /^--from is later than --to/],
    ],
    ['qkd probe https://127.0.0.1:1 --sae a --peer b --json', 2, 'usage', /required option/],
  ] as const)('and keytolld %s tells programs so, too', async (line, exit, code, words) => {
    const { exitCode, out, err } = await keytolld(line);
    const told: unknown = JSON.parse(out);
    expect(told).toEqual({ error: { code, message: expect.stringMatching(words) as string } });
    expect(err).not.toBe('');
    expect(exitCode).toBe(exit);
  });

  it('and what could not be made whole is not left half made', () => {
    expect(existsSync(join(folder, 'q5'))).toBe(false);
  });

  it('a network without a name is refused before a folder is made for it', async () => {
    const words = ['init', 'q6', '--name', 'q6', '--network', ''];
    const { exitCode, err } = await programRun('keytolld', folder, words);
    expect({ exitCode, err }).toEqual({
      exitCode: 1,
      err: 'keytolld init: --network takes a name of 1 to 32 characters\n',
    });
    expect(existsSync(join(folder, 'q6'))).toBe(false);
  });

  it('what cannot be written is not certified', async () => {
    const list = 'ca list ca --json';
    const { out: before } = await keytolld(list);
    const { exitCode, err } = await keytolld(
      'ca issue ca --name q9 --role station-coin --key-out q9.pem --out none/coin.der',
    );
    expect(exitCode).toBe(1);
    expect(err).toMatch(/none\/coin\.der cannot be written: its folder is not there\n$/);
    expect(existsSync(join(folder, 'q9.pem'))).toBe(false);
    expect((await keytolld(list)).out).toBe(before);
  });

  it('a certificate that is there already is left as it is', async () => {
    const file = join(folder, 'q1/certificates/coin.der');
    const before = readFileSync(file);
    const { exitCode, err } = await keytolld(
      'ca issue ca --name q1 --role station-coin --public-key q1/keys/coin.pem.pub ' +
        '--out q1/certificates/coin.der',
    );
    expect(exitCode).toBe(1);
    expect(err).toMatch(/coin.der is there already: no certificate is overwritten/);
    expect(readFileSync(file)).toEqual(before);
  });
});

describe('a configuration that does not hold is told with the place', () => {
  it.each<[string, (toml: string) => string, RegExp]>([
    [
      'a line that is no TOML',
      (toml) => toml.replace('fee = "1"', 'fee = '),
      /q1\/bad\.toml, line 22, column \d+: /,
    ],
    ['a line that is missing', (toml) => toml.replace(/^name.*$/m, ''), /: name: this line is mis/],
    ['a section that is missing', (toml) => toml.replace(/^\[ca\][^[]*/m, ''), /: ca: this secti/],
    [
      'a setting that there is not',
      (toml) => toml.replace('[tariff]', '[tariff]\nfoo = 1'),
      /: tariff: there is no such setting: "foo"/,
    ],
    [
      'a number for a word',
      (toml) => toml.replace('currency = "EUR"', 'currency = 5'),
      /: currency: expected string, received number/,
    ],
    [
      'a port beyond all',
      (toml) => toml.replace(':7701', ':99999'),
      /: desk\.listen: expected a p/,
    ],
    [
      'a fee that is missing',
      (toml) => toml.replace(/^fee.*$/m, ''),
      /: tariff\.fee: this line is missing$/,
    ],
    [
      'a fee that is no number',
      (toml) => toml.replace('fee = "1"', 'fee = 1.5'),
      /: tariff\.fee: expected a whole number of minor units, such as "3"$/,
    ],
    [
      'a neighbour in single brackets',
      (toml) => `${toml}\n[neighbour]\nname = "q2"\n`,
      /: neighbour: expected \[\[neighbour\]\], in two brackets: there may be several$/,
    ],
    [
      'a data folder that is a file',
      (toml) => toml.replace('data = "data"', 'data = "station.toml"'),
      /q1\/station\.toml cannot be made a folder: EEXIST/,
    ],
  ])('%s', async (_, change, words) => {
    configured('bad.toml', change);
    const { exitCode, err } = await keytolld('run --config q1/bad.toml');
    expect(err.trimEnd()).toMatch(words);
    expect({ exitCode, lines: err.split('\n').length }).toEqual({ exitCode: 1, lines: 2 });
  });

  it('a port that another program has', async () => {
    const server = createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    configured('taken.toml', (toml) => toml.replace(':7702', `:${String(port)}`));
    const { exitCode, err } = await keytolld('run --config q1/taken.toml');
    server.close();
    expect(exitCode).toBe(1);
    expect(err).toMatch(/cannot listen on 127\.0\.0\.1:\d+: another program listens there/);
  });
});

describe('a command line that is wrong points to help, and is exit code 2', () => {
  it.each([
    ['foo', /^error: unknown command 'foo'\n\(--help says more\)$/],
    ['run', /^error: required option '--config <file>' not specified\n\(--help/],
    ['account top-up a@q1 5.5 --config q1/station.toml', /whole number of minor units/],
    ['account top-up a@q1 9999999999999999999 --config q1/station.toml', /18 digits at most/],
    ['keys renew foo --config q1/station.toml', /Allowed choices are coin, document/],
    ['settle --window 1 --config q1/station.toml', /--window and --reference go with --paid\n/],
    ['settle --reference x --config q1/station.toml', /--window and --reference go with --paid\n/],
    ['settle --paid q2 --config q1/station.toml', /--paid needs --window and --reference\n/],
    ['settle --paid q2 --window 1 --reference a\nb --config q1/station.toml', /words on one line/],
    ['account top-up a@q1 5 --reference a\nb --config q1/station.toml', /words on one line/],
    ['payments --payment 00 --config q1/station.toml', /expected 64 hexadecimal digits\n/],
    ['audit --from 2026-02-30 --config q1/station.toml', /expected a day or time such as/],
    ['recover --since 2026-02-30 --config q1/station.toml', /expected a day or time such as/],
    ['run --ready-fd x --config q1/station.toml', /expected an open descriptor, such as 1\n/],
    ['account', /^Usage: keytolld account/],
  ])('keytolld %s', async (line, words) => {
    const { exitCode, out, err } = await keytolld(line);
    expect(err.trimEnd()).toMatch(words);
    expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' });
  });
});

it('a station that gets SIGUSR1 opens no debugger, and goes on', { timeout: 30_000 }, async () => {
  configured('calm.toml', (toml) => toml.replace(/:770\d/g, ':0'));
  const script = `
    mkfifo ready
    "$0" "$1" run --config q1/calm.toml --ready-fd 3 3>ready 2>log & station=$!
    read -r line <ready
    kill -USR1 $station
    "$0" "$1" status --config q1/calm.toml
    kill $station; wait $station; echo $?; cat log`;
  const { out } = await shellRun('keytolld', folder, script);
  expect(out).toMatch(/^q1 of network n, up \d+ s$/m);
  expect(out).toMatch(/^0$/m);
  expect(out).not.toContain('Debugger');
});

it.each([
  ['is full', '/dev/full'],
  ['has had enough', '>(head -1 >/dev/null)'],
])(
  'a station goes on, and stops when it is told to, where what takes its log %s',
  { timeout: 30_000 },
  async (_, log) => {
    configured('unheard.toml', (toml) => toml.replace(/:770\d/g, ':0'));
    const script = `
      rm -f heard; mkfifo heard
      "$0" "$1" run --config q1/unheard.toml --ready-fd 3 3>heard 2> ${log} & station=$!
      read -r line <heard
      "$0" "$1" status --config q1/unheard.toml
      kill $station; wait $station; echo "ended $?"`;
    const { out } = await shellRun('keytolld', folder, script);
    expect(out).toMatch(/^q1 of network n, up \d+ s$/m);
    expect(out).toMatch(/^ended 0$/m);
  },
);

describe('words that nobody takes', () => {
  it('where the reader of errors has gone, the exit code is the same', async () => {
    const script = '{ "$0" "$1" foo; echo $? >&3; } 3>code 2>&1 | true; cat code';
    expect(await shellRun('keytolld', folder, script)).toMatchObject({ out: '2\n', err: '' });
  });

  it('where the disk is full, that is one line and exit code 1', async () => {
    const script = '"$0" "$1" ca list ca >/dev/full';
    const { exitCode, err } = await shellRun('keytolld', folder, script);
    expect(err).toMatch(/^keytolld: what it printed was lost: ENOSPC[^\n]*\n$/);
    expect(exitCode).toBe(1);
  });
});

describe('a disk that takes nothing more', () => {
  /** No file may grow by a byte; what is printed goes through pipes. */
  const full = (words: string): Promise<Ended> =>
    shellRun('keytolld', folder, `trap '' XFSZ; ulimit -f 0; "$0" "$1" ${words}`);

  it.each([
    [
      'ca init full-ca --name root',
      /^keytolld ca init: .*\/full-ca cannot be made a folder: EFBIG/,
    ],
    ['ca crl ca --out full.crl', /^keytolld ca crl: EFBIG: file too large, write '.*\.crl'$/],
    ['init q8 --name q8 --network n --ca ca', /init: q8\/station\.toml cannot be written: EFBIG/],
  ])('keytolld %s says so, and leaves nothing in the way of the next try', async (line, words) => {
    const { exitCode, out, err } = await full(line);
    expect(err.trimEnd()).toMatch(words);
    expect({ exitCode, out, lines: err.split('\n').length }).toEqual({
      exitCode: 1,
      out: '',
      lines: 2,
    });
    expect(await keytolld(line)).toMatchObject({ exitCode: 0, err: '' });
  });
});
