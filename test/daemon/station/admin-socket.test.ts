import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  toCurrency,
  toStationName,
  toUserName,
  type StationName,
} from '../../../applet-spec/names.ts';
import {
  askEndFrozen,
  askRecover,
  askRetry,
  askSettle,
  askStatus,
  serveAdmin,
} from '../../../daemon/station/admin-socket.ts';
import type { Administered } from '../../../daemon/station/admin-socket.ts';
import { parseStationConfig } from '../../../daemon/station/config.ts';
import type { RecoveryWish } from '../../../daemon/station/recovery-part.ts';
import { initStationFolder } from '../../../daemon/station/station-folder.ts';
import { adminSocketOf } from '../../../daemon/station/station.ts';
import { runningStation } from '../cli/running-station.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';

let folder: string;
let path: string;
let close: () => Promise<void>;
const asked: (StationName | undefined)[] = [];
const wished: RecoveryWish[] = [];

const station: Administered = {
  ...runningStation({ coin: '01', document: '02' }),
  positions: () => Promise.resolve([{ peer: 'q2', open: '2', unpaid: '3', limit: '9' }]),
  doubtful: () => Promise.resolve({ payments: 1, payees: [{ payee: 'bob@q1', payments: 1 }] }),
  damaged: () => Promise.resolve([{ peer: toStationName('q2'), payments: 1 }]),
  quarantine: () => Promise.resolve([{ peer: toStationName('q2'), counted: 1, quarantined: 2 }]),
  retryQuarantined: (number) =>
    Promise.resolve({ outcome: 'failed-again', why: `record ${number}` }),
  settle: (peer) => {
    asked.push(peer);
    if (peer === 'q9') return Promise.reject(new Error('the disk is full'));
    return Promise.resolve({ station: 'q1', currency: 'EUR', peers: [] });
  },
  recover: (wish) => {
    wished.push(wish);
    return Promise.resolve({ state: 'rebuilding', begun: 'now', kept: '7', neighbours: [] });
  },
  endFrozen: () => Promise.resolve([toUserName('alice@q1')]),
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-admin-'));
  path = join(folder, 'admin.sock');
  asked.length = 0;
  ({ close } = await serveAdmin(path, station));
});
afterEach(async () => {
  await close();
  rmSync(folder, { recursive: true, force: true });
});

describe('the admin socket', () => {
  it('is the operator’s alone, and tells the status', async () => {
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(await askStatus(path)).toMatchObject({
      station: 'q1',
      positions: [{ peer: 'q2', open: '2', unpaid: '3', limit: '9' }],
      doubtful: { payments: 1, payees: [{ payee: 'bob@q1', payments: 1 }] },
      damaged: [{ peer: 'q2', payments: 1 }],
      quarantine: [{ peer: 'q2', counted: 1, quarantined: 2 }],
    });
  });

  it('has the station try a record of its quarantine again', async () => {
    expect(await askRetry(path, 7n)).toEqual({ outcome: 'failed-again', why: 'record 7' });
  });

  it('has the station settle with all, or with one', async () => {
    expect(await askSettle(path)).toEqual({ station: 'q1', currency: 'EUR', peers: [] });
    await askSettle(path, toStationName('q2'));
    expect(asked).toEqual([undefined, 'q2']);
  });

  it('has the station rebuild its books, without neighbours that are gone', async () => {
    const told = { state: 'rebuilding', begun: 'now', kept: '7', neighbours: [] };
    expect(await askRecover(path, {})).toEqual(told);
    const leaveOut = ['q2', 'q3'].map(toStationName);
    await askRecover(path, { leaveOut, sinceSeconds: 1_700_000_000n });
    expect(wished).toEqual([
      { leaveOut: [], sinceSeconds: 0n },
      { leaveOut, sinceSeconds: 1_700_000_000n },
    ]);
  });

  it('has frozen cards sent away from the desk, and tells whose they were', async () => {
    expect(await askEndFrozen(path)).toEqual(['alice@q1']);
  });

  it('passes on what went wrong in the station', async () => {
    await expect(askSettle(path, toStationName('q9'))).rejects.toMatchObject({
      code: 'command-failed',
      message: 'the disk is full',
    });
  });

  it('says that a station does not run, and how to start it', async () => {
    await close();
    await expect(askSettle(path)).rejects.toMatchObject({ code: 'not-running' });
  });
});

it('has no path that the system would cut off', () => {
  const initialised = initStationFolder(folder, {
    ...{ station: toStationName('q1'), network: 'test', currency: toCurrency('EUR') },
    entropy: seededEntropy('folder'),
  });
  const toml = readFileSync(initialised, 'utf8');
  const socketIn = (data: string) =>
    adminSocketOf(
      parseStationConfig(toml.replace(/^data = .*$/m, `data = "${data}"`), initialised),
    );
  expect(socketIn('data')).toBe(join(folder, 'data', 'admin.sock'));
  const most = 'd'.repeat(107 - `${folder}//admin.sock`.length);
  expect(socketIn(most)).toBe(join(folder, most, 'admin.sock'));
  expect(() => socketIn(`${most}d`)).toThrow(/is too long for a socket.*name a shorter folder/);
});
