import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { pcscdMissing, pcscdTestMissing } from '../contract/pcscd-presence.ts';

const script = join(import.meta.dirname, '../../dist/emulator/cli/keytoll-emulator.js');
/** Some forty programs start one after another; on an idle machine it takes a tenth of this. */
const patienceMs = 120_000;

const minorUnits = z.string().regex(/^[1-9]\d*$/);
const report = z.strictObject({
  stations: z.array(z.string()),
  bill: z.array(z.strictObject({ station: z.string(), fee: minorUnits })),
  total: minorUnits,
  currency: z.string().regex(/^[A-Z]{3}$/),
  coinValue: minorUnits,
  paymentId: z.string().regex(/^[0-9a-f]{64}$/),
  verdict: z.string(),
  keyCheckA: z.string().regex(/^[0-9a-f]{16}$/),
  keyCheckB: z.string().regex(/^[0-9a-f]{16}$/),
  storedBy: z.array(z.string()),
  coinsBefore: z.int(),
  coinsAfter: z.int(),
  message: z.strictObject({ sent: z.string().min(1), received: z.string() }),
  certificateSeenInClear: z.boolean(),
  settled: z.array(z.strictObject({ station: z.string(), amount: minorUnits })),
  auditFindings: z.int(),
  trialBalances: z.record(z.string(), z.string()),
});

let folder: string;
let running: ChildProcess | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'demo-test-'));
});
afterEach(() => {
  if (running?.pid !== undefined && isAlive(-running.pid)) process.kill(-running.pid, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/**
 * A demo at the head of a process group of its own, with a folder of its own for its temporary one.
 */
function start(args: readonly string[]) {
  const child = spawn(process.execPath, [script, 'demo', ...args], {
    detached: true,
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running = child;
  const said = { output: '', errors: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said.output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said.errors += text;
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  /** Resolves once this has been said. */
  const heard = (words: string): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (said.output.includes(words)) resolve();
      };
      child.stdout.on('data', look);
      look();
    });
  return { child, said, ended, heard };
}

/** `kill` with signal 0 asks only; a negative number asks for the whole group. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function expectNothingLeft(child: ChildProcess): void {
  expect(child.pid).toBeDefined();
  expect(isAlive(-(child.pid ?? 0))).toBe(false);
  expect(readdirSync(folder)).toEqual([]);
}

/** Runs the demo to its end and checks all that it says. */
async function expectDemo(count: number, more: readonly string[] = []): Promise<void> {
  const { child, said, ended } = start(['--json', '--stations', String(count), ...more]);
  expect({ code: await ended, errors: said.errors }).toEqual({ code: 0, errors: '' });
  expect(said.output.trimEnd()).not.toContain('\n');
  const told = report.parse(JSON.parse(said.output));
  const names = Array.from({ length: count }, (_, i) => `q${i + 1}`);
  expect(told.stations).toEqual(names);
  expect(told.bill.map(({ station }) => station)).toEqual(names);
  const sum = told.bill.reduce((total, { fee }) => total + BigInt(fee), 0n);
  expect(BigInt(told.total)).toBe(sum);
  expect(told.coinValue).toBe(told.total);
  expect(told.verdict).toBe('delivered');
  expect(told.keyCheckA).toBe(told.keyCheckB);
  expect(told.storedBy).toEqual([...names, 'alice']);
  expect(told.coinsAfter).toBe(told.coinsBefore - 1);
  expect(told.message.received).toBe(told.message.sent);
  expect(told.certificateSeenInClear).toBe(false);
  const owed = told.bill.slice(1).map(({ station, fee }) => ({ station, amount: fee }));
  expect(told.settled).toEqual(owed);
  expect(told.auditFindings).toBe(0);
  expect(told.trialBalances).toEqual(Object.fromEntries(names.map((name) => [name, '0'])));
  expectNothingLeft(child);
}

describe('the demo', () => {
  it.each([2, 3, 4])(
    'over %i stations prints one JSON object, all of it true, and leaves nothing behind',
    (count) => expectDemo(count),
    patienceMs,
  );

  if (pcscdMissing !== undefined) pcscdTestMissing('the demo with its cards behind pcscd');
  else {
    it(
      'does the same with its cards behind a pcscd that it starts and stops',
      () => expectDemo(2, ['--reader', 'pcsc']),
      patienceMs,
    );
  }

  it(
    'that is interrupted says so, and leaves nothing behind',
    async () => {
      const { child, said, ended, heard } = start(['--stations', '2']);
      await heard('A CA, stations q1 – q2');
      child.kill('SIGTERM');
      expect(await ended).toBe(1);
      expect(said.errors).toBe('keytoll-emulator demo: interrupted; nothing is left running\n');
      expectNothingLeft(child);
    },
    patienceMs,
  );

  it('of too many or too few stations says how many there may be', async () => {
    for (const count of ['1', '17', 'three']) {
      const { said, ended } = start(['--stations', count]);
      expect(await ended).not.toBe(0);
      expect(said.errors).toContain('expected 2 to 16 stations');
      expect(said.output).toBe('');
    }
  });
});
