/** README's way from nothing to a first payment, as it is written, but on free ports. */
import { spawn, type ChildProcess } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const root = join(import.meta.dirname, '../..');
const patienceMs = 120_000;
const programs = {
  keytoll: 'driver/cli/keytoll.js',
  keytolld: 'daemon/cli/keytolld.js',
  'keytoll-emulator': 'emulator/cli/keytoll-emulator.js',
};
let folder: string;
let running: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-readme-'));
  mkdirSync(join(folder, 'bin'));
  mkdirSync(join(folder, 'road'));
  for (const [name, file] of Object.entries(programs)) {
    const path = join(folder, 'bin', name);
    writeFileSync(path, `#!/bin/sh\nexec ${process.execPath} ${join(root, 'dist', file)} "$@"\n`);
    chmodSync(path, 0o755);
  }
});
afterEach(() => {
  if (running?.pid !== undefined && running.exitCode === null) {
    process.kill(-running.pid, 'SIGKILL');
  }
  rmSync(folder, { recursive: true, force: true });
});

it(
  'README leads from an empty folder to a key that two cards share',
  { timeout: patienceMs },
  async () => {
    const { output, exitCode } = await run(await onFreePorts(script()));
    expect(exitCode, output).toBe(0);
    expect(output).toContain('The card is alice@q1');
    expect(output).toMatch(/Bought 10 coins worth EUR 0\.20/);
    expect(output).toMatch(/Delivered: you and bob@q2 share the key of payment [0-9a-f]{64}/);
    const checks = [...output.matchAll(/active +check ([0-9a-f]{16})/g)].map(([, check]) => check);
    expect(checks).toHaveLength(2);
    expect(checks[1]).toBe(checks[0]);
  },
);

function script(): string {
  const blocks = [...readFileSync(join(root, 'README.md'), 'utf8').matchAll(/```sh\n(.*?)```/gs)];
  expect(blocks).toHaveLength(1);
  return blocks[0]?.[1] ?? '';
}

/** The stations' ports come from `keytolld init`, which knows no free ones. */
async function onFreePorts(text: string): Promise<string> {
  const sed = /^sed -i 's\/:770\/:771\/' q2\/station\.toml.*$/m;
  expect(text).toMatch(sed);
  const named = ['7701', '7702', '7711', '7712', '8441', '8442'];
  const free = await freePorts(named.length);
  const port = new Map(named.map((name, i) => [name, String(free[i])]));
  const elsewhere = text.replace(sed, 'listen 7701 7702 q1; listen 7711 7712 q2');
  const moved = elsewhere.replace(/\b(?:77[01][12]|844[12])\b/g, (name) => port.get(name) ?? name);
  return [
    'set -e',
    "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT",
    'listen() { sed -i "s/:7701/:$1/; s/:7702/:$2/" $3/station.toml; }',
    moved,
  ].join('\n');
}

/**
 * Below those that systems give to connections, such as those of other tests: a port there would be
 * taken again before the station listens on it. All are open at once, so that no two are the same.
 */
async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = [];
  for (let port = 10_000 + (process.pid % 20_000); servers.length < count; port++) {
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (isFree) servers.push(server);
  }
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}

async function run(text: string): Promise<{ output: string; exitCode: unknown }> {
  const child = spawn('bash', ['-c', text], {
    cwd: join(folder, 'road'),
    detached: true,
    env: {
      ...process.env,
      HOME: folder,
      PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}`,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running = child;
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (piece: string) => {
      output += piece;
    });
  }
  const [exitCode] = (await once(child, 'close')) as unknown[];
  return { output, exitCode };
}
