/** `keytoll audit`: what a user reads of the payments in the wallet, with and without the card. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AgentServer } from '../../../driver/agent/agent-server.ts';
import { runKeytoll } from '../../../driver/cli/program.ts';
import { shellRun, type Ended } from '../../program-run.ts';
import { rawDatabase } from '../../raw-database.ts';
import { readOnlyMountMissing } from '../../read-only-mount.ts';
import { HostBench } from '../desk/host-bench.ts';
import { TestTerminal } from './test-terminal.ts';

let bench: HostBench;
let server: AgentServer;

/** Two coins of three are used: for a key, and for one that bob's card did not take. */
beforeEach(async () => {
  bench = await HostBench.open();
  await bench.enrol();
  server = await AgentServer.listen(bench.folder, bench.runner, 'pcsc');
  await keytoll('buy', '3x30');
  await keytoll('pay', 'bob@q2', '--yes');
  bench.desk.script.verdict = 'undelivered';
  await keytoll('pay', 'bob@q2', '--yes');
});
afterEach(async () => {
  await server.close();
  await bench.close();
});

async function keytoll(...args: string[]) {
  const terminal = new TestTerminal();
  const exitCode = await runKeytoll(['--wallet', bench.folder, ...args], terminal, {});
  return { exitCode, out: terminal.out.join('\n'), notes: terminal.notes.join('\n') };
}

function rowsOf(csv: string): string[][] {
  return csv.split('\r\n').map((row) => row.split(','));
}

/** Somebody writes into the wallet that the coin of a payment was never used. */
function coinStandsAsHeld(): void {
  const database = rawDatabase(join(bench.folder, 'wallet.db'));
  const { changes } = database
    .prepare("UPDATE coins SET state = 'held' WHERE state <> 'held'")
    .run();
  database.close();
  expect(changes).toBeGreaterThan(0);
}

/** In a namespace of its own, where the wallet's folder is mounted read-only. */
function onReadOnlyMount(words: string): Promise<Ended> {
  const mounted =
    'mount --bind "$W" "$W" && mount -o remount,bind,ro "$W" && ! touch "$W/x" 2>/dev/null && ';
  const inside = `'${mounted} "$0" "$1" ${words}' "$0" "$1"`;
  const script = `cd /; W='${bench.folder}' unshare -rm bash -c ${inside}`;
  return shellRun('keytoll', bench.folder, script);
}

describe('keytoll audit', () => {
  it('itemises in words, and says what nobody but the card can check', async () => {
    const { exitCode, out } = await keytoll('audit');
    expect(exitCode).toBe(0);
    expect(out).toMatch(/delivered +to bob@q2 {2}EUR 0\.30: q1 EUR 0\.20, q2 EUR 0\.10\n/);
    expect(out).toMatch(/\nalice@q1 paid EUR 0\.30 in 1 payment\n {2}station q1: EUR 0\.20 in 1/);
    expect(out).toMatch(/not checked: 2 × payer signature\nNo findings\.$/);
  });

  it.skipIf(readOnlyMountMissing !== undefined)(
    'reads a wallet on a read-only medium, and all that its log holds',
    { timeout: 60_000 },
    async () => {
      const { out } = await keytoll('audit');
      const before = readdirSync(bench.folder);
      // The agent still has it: the last payments are in its write-ahead log alone.
      expect(before).toContain('wallet.db-wal');
      const audited = await onReadOnlyMount('--wallet "$W" audit');
      expect(audited).toEqual({ exitCode: 0, out: `${out}\n`, err: '' });
      expect(readdirSync(bench.folder)).toEqual(before);
    },
  );

  it('with --card leaves nothing unchecked', async () => {
    const { exitCode, out } = await keytoll('audit', '--card');
    expect(exitCode).toBe(0);
    expect(out).not.toContain('not checked');
    expect(out).toMatch(/\nNo findings\.$/);
    const json = await keytoll('audit', '--card', '--json');
    expect(JSON.parse(json.out)).toMatchObject({ findings: [], unchecked: {} });
  });

  it('with --csv has a row for each line of each bill, and its findings beside them', async () => {
    const { exitCode, out, notes } = await keytoll('audit', '--csv');
    expect(exitCode).toBe(0);
    expect(notes).toBe('not checked: 2 × payer signature\nNo findings.');
    const [head, ...rows] = rowsOf(out);
    expect(head?.join()).toBe(
      'user,payment,time,role,standing,peer,currency,total,line,station,fee,due',
    );
    const due = ['delivered', 'undelivered'].map((standing) =>
      rows.filter((row) => row[4] === standing).map((row) => row.slice(5).join()),
    );
    expect(due).toEqual([
      ['bob@q2,EUR,30,1,q1,20,20', 'bob@q2,EUR,30,2,q2,10,10'],
      ['bob@q2,EUR,30,1,q1,20,0', 'bob@q2,EUR,30,2,q2,10,0'],
    ]);
    expect((await keytoll('audit', '--csv')).out).toBe(out);
    expect(rowsOf((await keytoll('audit', '--csv', '--station', 'q9')).out)).toEqual([head]);
  });

  it('ends with 1 where something is wrong, in words, CSV and JSON alike', async () => {
    coinStandsAsHeld();
    const words = await keytoll('audit', '--card');
    expect(words.exitCode).toBe(1);
    expect(words.out).toMatch(/findings:\n {2}coin-state payment [0-9a-f]{64}: .*stands as held/);
    const csv = await keytoll('audit', '--csv');
    expect(csv.exitCode).toBe(1);
    expect(csv.notes).toMatch(/coin-state/);
    expect(rowsOf(csv.out)).toHaveLength(5);
    const json = await keytoll('audit', '--json');
    expect(json.exitCode).toBe(1);
    expect(JSON.parse(json.out)).toHaveProperty('findings.0.code', 'coin-state');
  });

  it('takes one form of output, and dates that there are', async () => {
    const both = await keytoll('audit', '--csv', '--json');
    expect(both.exitCode).toBe(2);
    expect(both.out).toMatch(/--csv and --json are two forms of one thing/);
    const odd = await keytoll('audit', '--from', 'yesterday');
    expect(odd.exitCode).toBe(2);
    expect(odd.notes).toMatch(/expected a day or time such as 2026-07-01/);
    const turned = await keytoll('audit', '--from', '2026-07-02', '--to', '2026-07-01');
    expect(turned.exitCode).toBe(2);
    expect(turned.notes).toMatch(/--from is later than --to/);
  });
});
