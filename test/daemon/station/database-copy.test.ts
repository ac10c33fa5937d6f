/** `keytolld backup` and `restore`: what an operator keeps, and what comes of it. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toCurrency, toStationName, toUserName } from '../../../applet-spec/names.ts';
import { readStationConfig, type StationConfig } from '../../../daemon/station/config.ts';
import { backUp, restore } from '../../../daemon/station/database-copy.ts';
import { noteAudit } from '../../../daemon/station/last-audit.ts';
import { holdStation } from '../../../daemon/station/run-lock.ts';
import { initStationFolder } from '../../../daemon/station/station-folder.ts';
import { openStationStore, stationDatabase } from '../../../daemon/station/station-store.ts';
import type { Store } from '../../../daemon/store/store.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';

const alice = toUserName('alice@q1');
const entropy = seededEntropy('copies');
const clock = new VirtualClock(Date.UTC(2026, 6, 1, 12));
const seams = { clock, entropy };
let folder: string;
let config: StationConfig;
let open: Store[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-database-copy-'));
  config = stationIn('q1');
});
afterEach(async () => {
  for (const store of open) await store.close();
  open = [];
  rmSync(folder, { recursive: true, force: true });
});

function stationIn(name: string, station = 'q1'): StationConfig {
  const place = { network: 'test', currency: toCurrency('EUR'), entropy };
  mkdirSync(join(folder, name));
  const of = toStationName(station);
  return readStationConfig(initStationFolder(join(folder, name), { station: of, ...place }));
}

async function opened(of = config): Promise<Store> {
  const store = await openStationStore(of, entropy);
  open.push(store);
  await store.addUser(alice, toCurrency('EUR'));
  return store;
}

/** Brings money in while the database is open elsewhere, or nowhere. */
async function paysIn(amount: bigint, store?: Store): Promise<void> {
  const books = store ?? (await opened());
  await books.topUp(alice, amount, `cash ${amount}`, clock.nowMs());
  if (store === undefined) await books.close();
}

async function balance(file?: string, of = config): Promise<bigint | undefined> {
  const store = await openStationStore(of, entropy, file === undefined ? {} : { file });
  open.push(store);
  const user = await store.user(alice);
  await store.close();
  return user?.balance;
}

const copy = (): string => join(folder, 'copy.sqlite');
const dataOf = (of: StationConfig): string => of.path(of.data);

describe('a copy of the database', () => {
  it('has all that a running station has committed, and is for its operator’s eyes', async () => {
    const store = await opened();
    await paysIn(700n, store);
    const { file, bytes, leaves } = await backUp(config, copy());
    await paysIn(50n, store);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect([BigInt(bytes), leaves]).toEqual([BigInt(statSync(file).size), 1n]);
    expect(readdirSync(folder).sort()).toEqual(['copy.sqlite', 'q1']);
    expect(await balance(file)).toBe(700n);
  });

  it('takes the place of no file, and is made in no folder that is not there', async () => {
    await paysIn(700n);
    writeFileSync(copy(), 'a letter');
    await expect(backUp(config, copy())).rejects.toThrow(`${copy()} is there already`);
    const nowhere = join(folder, 'unplugged', 'copy.sqlite');
    await expect(backUp(config, nowhere)).rejects.toThrow('is no folder: make it');
    expect(readFileSync(copy(), 'utf8')).toBe('a letter');
    expect(readdirSync(folder).sort()).toEqual(['copy.sqlite', 'q1']);
  });

  it('is not made of a database that is damaged, nor of none', async () => {
    await expect(backUp(config, copy())).rejects.toThrow('there is no database');
    await paysIn(700n);
    damage(stationDatabase(config));
    await expect(backUp(config, copy())).rejects.toMatchObject({ code: 'corrupt' });
    expect(readdirSync(folder)).toEqual(['q1']);
  });

  it('says which half of a copy is in its way', async () => {
    await paysIn(700n);
    const part = join(folder, '.copy.sqlite.part');
    writeFileSync(part, '');
    await expect(backUp(config, copy())).rejects.toThrow(`${part} is there`);
    expect(existsSync(part)).toBe(true);
  });
});

describe('a copy that is restored', () => {
  it('is the database then, and what was there before is kept beside it', async () => {
    await paysIn(700n);
    await backUp(config, copy());
    await paysIn(50n);
    await noteAudit(config, { at: '2026-07-01T11:00:00Z', findings: 0 });
    const { before = '' } = await restore(config, copy(), seams);
    expect(await balance()).toBe(700n);
    expect(before).toBe(join(dataOf(config), 'replaced-2026-07-01T12-00-00.000Z'));
    expect(await balance(join(before, 'station.sqlite'))).toBe(750n);
    expect(readdirSync(before).sort()).toEqual(['last-audit.json', 'station.sqlite']);
    expect(readdirSync(dataOf(config)).filter((name) => name.includes('part'))).toEqual([]);
  });

  it('comes where there was no database', async () => {
    await paysIn(700n);
    await backUp(config, copy());
    rmSync(stationDatabase(config));
    expect(await restore(config, copy(), seams)).not.toHaveProperty('before');
    expect(await balance()).toBe(700n);
  });

  /** The database holds 750, 50 of them in its log of commits alone: the copy has 700. */
  async function stoppedInTheMiddle(): Promise<void> {
    await paysIn(700n);
    await backUp(config, copy());
    const store = await opened();
    await paysIn(50n, store);
    const files = ['', '-wal'].map((beside) => stationDatabase(config) + beside);
    const contents = files.map((file) => readFileSync(file));
    await store.close();
    files.forEach((file, i) => {
      writeFileSync(file, contents[i] ?? '');
    });
  }

  it('is not spoiled by commits of the former database, which keeps them all', async () => {
    await stoppedInTheMiddle();
    const { before = '' } = await restore(config, copy(), seams);
    expect(await balance()).toBe(700n);
    // It looks through every page.
    expect(await backUp(config, join(folder, 'again.sqlite'))).toMatchObject({ leaves: 1n });
    // In the file itself, before anything else was moved.
    expect(readdirSync(before)).toEqual(['station.sqlite']);
    expect(await balance(join(before, 'station.sqlite'))).toBe(750n);
  });

  it('takes the place of a database that nobody can read, which is kept as it was', async () => {
    await stoppedInTheMiddle();
    writeFileSync(stationDatabase(config), 'no database at all');
    const { before = '' } = await restore(config, copy(), seams);
    expect(existsSync(join(before, 'station.sqlite-wal'))).toBe(true);
    expect(readFileSync(join(before, 'station.sqlite'), 'utf8')).toBe('no database at all');
    expect(await balance()).toBe(700n);
    expect(await backUp(config, join(folder, 'again.sqlite'))).toMatchObject({ leaves: 1n });
  });

  it('may be one of two files, as they were found on a disk', async () => {
    const store = await opened();
    await paysIn(700n, store);
    copyFileSync(stationDatabase(config), copy());
    copyFileSync(`${stationDatabase(config)}-wal`, `${copy()}-wal`);
    await store.close();
    writeFileSync(`${stationDatabase(config)}-wal`, readFileSync(`${copy()}-wal`));
    rmSync(stationDatabase(config));
    chmodSync(copy(), 0o644);
    const { file, before = '' } = await restore(config, copy(), seams);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(before)).toEqual(['station.sqlite-wal']);
    expect(await balance()).toBe(700n);
  });

  it('changes nothing while the station runs', async () => {
    await paysIn(700n);
    await backUp(config, copy());
    await paysIn(50n);
    const running = holdStation(config);
    await expect(restore(config, copy(), seams)).rejects.toMatchObject({ code: 'already-running' });
    running.release();
    expect(await balance()).toBe(750n);
  });

  it.each([
    ['is damaged', 'corrupt', async () => damage((await backUp(config, copy())).file)],
    [
      'is another station’s',
      'wrong-station',
      async () => {
        const other = stationIn('q2', 'q2');
        await (await openStationStore(other, entropy)).close();
        await backUp(other, copy());
      },
    ],
    [
      'is sealed under another storage key',
      'wrong-key',
      async () => {
        const other = stationIn('other');
        await (await openStationStore(other, entropy)).close();
        await backUp(other, copy());
      },
    ],
    ['is not there', 'command-failed', () => Promise.resolve()],
  ])('changes nothing where it %s', async (_, code, make) => {
    await paysIn(700n);
    await make();
    const before = readFileSync(stationDatabase(config));
    await expect(restore(config, copy(), seams)).rejects.toMatchObject({ code });
    expect(readFileSync(stationDatabase(config)).equals(before)).toBe(true);
    const names = readdirSync(dataOf(config));
    expect(names.filter((name) => /part|replaced/.test(name))).toEqual([]);
  });
});

/** In the middle of the file, behind its head. */
function damage(file: string): void {
  const bytes = readFileSync(file);
  bytes.fill(0x5a, bytes.length / 2, bytes.length / 2 + 4_096);
  writeFileSync(file, bytes);
}
