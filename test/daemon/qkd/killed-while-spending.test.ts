/**
 * kill -9 at random moments of either station, real stores, and key managers that hand keys out
 * again and let them be fetched again: no bit is used twice, or for two purposes.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../daemon/clock.ts';
import { openSqliteStore } from '../../../daemon/store/sqlite-store.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { initDevices } from '../../../emulator/qkd/device-files.ts';
import { sqliteOptions } from '../../contract/sqlite-store-bench.ts';
import { startDevices, type DevicePair } from './device-pair.ts';
import { readSpendingLine, type SpendingLine, type SpentKeys } from './spending-lines.ts';

const program = join(import.meta.dirname, '../../../dist/test/daemon/qkd/spending-child.js');
const lives = 12;

let folder: string;
let devices: DevicePair;
const stations: Station[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-spending-'));
  const entropy = seededEntropy('killed while spending');
  await initDevices(folder, { saes: ['q1', 'q2'], clock: systemClock, entropy });
  devices = await startDevices({ dir: folder, fibre: { storeBits: 1 << 26 } });
});
afterEach(async () => {
  await Promise.all(stations.splice(0).map((station) => station.kill()));
  await devices.close();
  rmSync(folder, { recursive: true, force: true });
});

/** One station through all its lives, and everything that ever came out of its reservoir. */
class Station {
  readonly name: 'q1' | 'q2';
  readonly spent: SpentKeys[] = [];
  readonly refusals: string[] = [];
  lostBits = 0n;
  complaints = '';
  onLine: (line: SpendingLine) => void = () => undefined;
  #child: ChildProcess | undefined;
  #lines = 0;
  #killAt = Number.POSITIVE_INFINITY;

  constructor(name: 'q1' | 'q2') {
    this.name = name;
    stations.push(this);
  }

  start(): void {
    const peer = this.name === 'q1' ? 'q2' : 'q1';
    const { url } = devices.emulator.kmeFor(this.name);
    const child = spawn(process.execPath, [program, folder, this.name, peer, url]);
    this.#child = child;
    this.#lines = 0;
    child.stdin.on('error', () => undefined);
    child.stderr.setEncoding('utf8').on('data', (text) => (this.complaints += String(text)));
    createInterface({ input: child.stdout }).on('line', (text) => {
      this.#heard(readSpendingLine(text));
    });
  }

  /** Its life ends with this many lines; resolves once it is over. */
  async killAfter(lines: number): Promise<void> {
    const child = this.#child;
    if (child === undefined) throw new Error(`${this.name} does not run`);
    this.#killAt = this.#lines + lines;
    await once(child, 'close');
    this.#killAt = Number.POSITIVE_INFINITY;
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'close');
  }

  claim(keys: readonly SpentKeys[]): void {
    const named = keys.map(({ purpose, keyIds }) => ({ purpose, keyIds }));
    this.#child?.stdin?.write(`${JSON.stringify(named)}\n`);
  }

  #heard(line: SpendingLine): void {
    if (line.what === 'refused') this.refusals.push(line.code);
    else {
      this.spent.push(...line.keys);
      this.lostBits += BigInt(line.lostBits);
    }
    this.onLine(line);
    if (++this.#lines >= this.#killAt) this.#child?.kill('SIGKILL');
  }
}

describe('QKD keys of two stations that are killed again and again', () => {
  it('are each used once, for one purpose, and recorded before', { timeout: 120_000 }, async () => {
    expect(existsSync(program), 'run `npm run build` first').toBe(true);
    const chance = seededEntropy('moments');
    const q1 = new Station('q1');
    const q2 = new Station('q2');
    const paid: (readonly SpentKeys[])[] = [];
    q1.onLine = (line) => {
      if (line.what !== 'taken') return;
      paid.push(line.keys);
      q2.claim(line.keys);
    };
    devices.emulator.addFault({ fault: { kind: 'keys-stay' }, call: 'dec_keys' });
    q1.start();
    q2.start();
    for (let life = 0; life < lives; life++) {
      const [which = 0, moment = 0] = chance.randomBytes(2);
      const victim = which % 2 === 0 ? q1 : q2;
      await victim.killAfter(1 + (moment % 60));
      // The device hands out what it handed out last, before anybody died.
      devices.emulator.addFault({ fault: { kind: 'repeated-keys' }, call: 'enc_keys', times: 1 });
      victim.start();
      if (victim === q2) for (const keys of paid.slice(-40)) q2.claim(keys);
    }
    await q1.kill();
    await claimedAgain(q2, paid);
    await q2.kill();
    expect(q1.complaints + q2.complaints).toBe('');

    for (const station of [q1, q2]) {
      const ids = station.spent.flatMap(({ keyIds }) => keyIds);
      expect(ids.length).toBeGreaterThan(200);
      expect(new Set(ids).size).toBe(ids.length);
      expect(new Set(station.spent.map(({ bits }) => bits)).size).toBe(station.spent.length);
      expect(await recordedBefore(station.name, ids)).toBe(true);
    }
    const sent = new Map(q1.spent.map((keys) => [keys.keyIds.join(), keys]));
    for (const keys of q2.spent) {
      // A taken key whose line died with its station was never named to anybody.
      expect(sent.get(keys.keyIds.join())).toEqual(keys);
    }
    // Or else nothing was proved: the device did hand keys out again.
    expect(q1.lostBits).toBeGreaterThan(0n);
  });
});

/** Claims what was claimed in any life, of a key manager that gives it again: all is refused. */
async function claimedAgain(q2: Station, paid: readonly (readonly SpentKeys[])[]): Promise<void> {
  const claimed = new Set(q2.spent.flatMap(({ keyIds }) => keyIds));
  const again = paid.filter((keys) =>
    keys.every(({ keyIds }) => keyIds.every((id) => claimed.has(id))),
  );
  await q2.kill();
  const refused = q2.refusals.length;
  const spent = q2.spent.length;
  const answered = new Promise<void>((resolve) => {
    q2.onLine = () => {
      if (q2.refusals.length - refused + q2.spent.length - spent === again.length) resolve();
    };
  });
  q2.start();
  for (const keys of again) q2.claim(keys);
  await answered;
  expect(q2.refusals.slice(refused)).toEqual(again.map(() => 'already-used'));
}

/** Whether the store on disk refuses every one of these keys. */
async function recordedBefore(name: 'q1' | 'q2', ids: readonly string[]): Promise<boolean> {
  const store = await openSqliteStore(sqliteOptions(join(folder, `${name}.sqlite`)));
  try {
    const uses = ids.map((keyId) => {
      return { keyId, peer: 'q9', direction: 'send', purpose: 'traffic' } as const;
    });
    return (await store.recordUse(uses)).every((outcome) => outcome === 'already-used');
  } finally {
    await store.close();
  }
}
