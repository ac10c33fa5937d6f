/**
 * A station whose disk takes no more (failure 41): the real program, under a limit on the size of
 * files, which makes the system refuse a write as it would for a fault.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { toCurrency, toStationName, toUserName } from '../../../applet-spec/names.ts';
import { CertificateAuthority } from '../../../daemon/ca/certificate-authority.ts';
import { systemClock } from '../../../daemon/clock.ts';
import { systemEntropy } from '../../../daemon/entropy.ts';
import { readStationConfig } from '../../../daemon/station/config.ts';
import { initStationFolder } from '../../../daemon/station/station-folder.ts';
import { certifyStation } from '../../../daemon/station/station-papers.ts';
import { openStationStore, stationDatabase } from '../../../daemon/station/station-store.ts';
import type { Store } from '../../../daemon/store/store.ts';

const program = join(import.meta.dirname, '../../../dist/daemon/cli/keytolld.js');
/** Blocks of 512 bytes, as POSIX has it. */
const limited = `trap '' XFSZ; ulimit -f 2048; exec "$0" "$@"`;
const limitBytes = 2_048 * 512;
const seams = { clock: systemClock, entropy: systemEntropy };

it('a station whose disk fails ends at once, says so, and goes on where it was', async () => {
  expect(existsSync(program), 'run `npm run build` first').toBe(true);
  const folder = mkdtempSync(join(tmpdir(), 'keytoll-disk-'));
  try {
    const toml = await stationIn(folder);
    const ended = running(toml, limited);
    await ended.ready;
    const store = await fillLog(toml);
    const { code, errors } = await ended.end;
    await store.close();
    expect(code).toBe(1);
    expect(errors).toContain('the disk failed: the station ends; check it before it starts again');
    expect(errors).toMatch(/^keytolld run: SQLITE_IOERR/m);
    const sound = running(toml, 'exec "$0" "$@"');
    await sound.ready;
    sound.stop();
    expect((await sound.end).code).toBe(0);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);

async function stationIn(folder: string): Promise<string> {
  const [ca, home] = [join(folder, 'ca'), join(folder, 'q1')];
  const authority = await CertificateAuthority.init(ca, { ...seams, name: 'root' });
  await authority.freshCrl();
  const station = toStationName('q1');
  const made = { station, network: 'test', currency: 'EUR', entropy: systemEntropy, caFolder: ca };
  const toml = initStationFolder(home, made);
  await certifyStation(home, station, ca, seams);
  const text = readFileSync(toml, 'utf8').replace(/^(listen = "[^:]*:)\d+"/gm, '$10"');
  writeFileSync(toml, text.replace('checkpoint-seconds = 60', 'checkpoint-seconds = 1'));
  return toml;
}

/** The operator's other programs have no limit: they make the log too long for the station. */
async function fillLog(toml: string): Promise<Store> {
  const config = readStationConfig(toml);
  const store = await openStationStore(config, systemEntropy);
  const user = toUserName('alice@q1');
  await store.addUser(user, toCurrency('EUR'));
  for (let n = 0; statSync(`${stationDatabase(config)}-wal`).size <= 2 * limitBytes; n++) {
    await store.topUp(user, 1n, `bank ${n}`, systemClock.nowMs());
  }
  return store;
}

interface Running {
  /** Its ports are open. */
  readonly ready: Promise<void>;
  readonly end: Promise<{ readonly code: number | null; readonly errors: string }>;
  readonly stop: () => void;
}

function running(toml: string, script: string): Running {
  const args = ['run', '--config', toml, '--ready-fd', '1'];
  const child = spawn('sh', ['-c', script, process.execPath, program, ...args]);
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const end = new Promise<{ code: number | null; errors: string }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => {
      resolve({ code, errors });
    });
  });
  const ready = new Promise<void>((resolve, reject) => {
    createInterface({ input: child.stdout }).once('line', () => {
      resolve();
    });
    end.then(() => {
      reject(new Error(`it ended before it was ready: ${errors}`));
    }, reject);
  });
  return { ready, end, stop: () => child.kill('SIGTERM') };
}
