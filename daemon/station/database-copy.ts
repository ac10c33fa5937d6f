/**
 * A copy of the station's database for its operator to keep, and such a copy put in the database's
 * place (failures 37 to 39). What a copy lacks, neighbours tell the station that starts with it.
 */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Clock } from '../../applet-spec/clock.ts';
import { isoTimeOfMs } from '../../applet-spec/iso-time.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { syncFile, syncFolder } from '../ca/durable-file.ts';
import { copyDatabase, foldLog, readUnchanged } from '../store/connection.ts';
import { StoreError } from '../store/store-error.ts';
import type { StationConfig } from './config.ts';
import { requireRoomForCopy } from './room-for-copy.ts';
import { holdStation } from './run-lock.ts';
import { StationError } from './station-error.ts';
import { openStationStore, stationDatabase } from './station-store.ts';

export interface Backup {
  readonly file: string;
  readonly bytes: number;
  /** How long the log is in it: what checkpoints of neighbours are held against. */
  readonly leaves: bigint;
}

export interface Restored extends Omit<Backup, 'bytes'> {
  /** Where the database of before is now; none where there was none. */
  readonly before?: string;
}

/** What SQLite keeps beside a database file. */
const companions = ['-wal', '-shm'] as const;

/**
 * One moment of the database, whether or not the station runs. The file is whole, durable and
 * looked through once it is there under its name; secrets in it stay sealed. Rejects with
 * StationError or StoreError, or with what the system said of a file.
 */
export async function backUp(config: StationConfig, target: string): Promise<Backup> {
  const file = resolve(target);
  const folder = dirname(file);
  if (!existsSync(stationDatabase(config))) {
    const words = `there is no database ${stationDatabase(config)} to copy`;
    throw new StationError('command-failed', words);
  }
  if (existsSync(file)) throw new StationError('exists', `${file} is there already: name another`);
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new StationError('command-failed', `${folder} is no folder: make it, or name another`);
  }
  await requireRoomForCopy(config, folder, 'the copy is as large as the database');
  const part = partOf(file);
  const isOurs = emptyFile(part);
  try {
    copyDatabase(stationDatabase(config), part);
    const leaves = soundLeaves(part);
    await syncFile(part);
    renameSync(part, file);
    await syncFolder(folder);
    return { file, bytes: statSync(file).size, leaves };
  } finally {
    isOurs.end();
  }
}

/**
 * A copy becomes the database of a station that does not run; the one before is kept beside it.
 * Nothing is changed where the copy is damaged or another station's. Rejects with StationError
 * (`already-running`, `command-failed`) or StoreError (`wrong-station`, `wrong-key`, …).
 */
export async function restore(
  config: StationConfig,
  copy: string,
  { clock, entropy }: { readonly clock: Clock; readonly entropy: Entropy },
): Promise<Restored> {
  const running = holdStation(config);
  try {
    return await restoreHeld(config, copy, { clock, entropy });
  } finally {
    running.release();
  }
}

async function restoreHeld(
  config: StationConfig,
  copy: string,
  { clock, entropy }: Parameters<typeof restore>[2],
): Promise<Restored> {
  const database = stationDatabase(config);
  const part = partOf(database);
  const isOurs = emptyFile(part);
  try {
    if (statSync(copy, { throwIfNoEntry: false })?.isFile() !== true) {
      throw new StationError('command-failed', `${copy} is no file`);
    }
    // A database that was copied by other means has its newest commits beside it.
    for (const companion of ['', '-wal']) {
      if (!existsSync(copy + companion)) continue;
      copyFileSync(copy + companion, part + companion);
      chmodSync(part + companion, 0o600);
    }
    const leaves = soundLeaves(part);
    await (await openStationStore(config, entropy, { file: part })).close();
    await syncFile(part);
    const before = keepBefore(database, clock);
    renameSync(part, database);
    await syncFolder(dirname(database));
    return { file: database, leaves, ...(before !== undefined && { before }) };
  } finally {
    isOurs.end();
  }
}

/**
 * What speaks of the database of before goes with it: a log of commits that is not its own would
 * spoil the copy, so it is gone before that comes. The file itself stays until it is replaced, and
 * has all its commits by then, where it can be read: a cut in between loses none.
 */
function keepBefore(database: string, clock: Clock): string | undefined {
  if (existsSync(database)) foldLogIfSound(database);
  const beside = companions.filter((companion) => existsSync(database + companion));
  if (!existsSync(database) && beside.length === 0) return undefined;
  const time = isoTimeOfMs(clock.nowMs()).replaceAll(':', '-');
  const folder = join(dirname(database), `replaced-${time}`);
  mkdirSync(folder, { mode: 0o700 });
  const kept = join(folder, basename(database));
  if (existsSync(database)) linkSync(database, kept);
  for (const companion of beside) renameSync(database + companion, kept + companion);
  const lastAudit = join(dirname(database), 'last-audit.json');
  if (existsSync(lastAudit)) renameSync(lastAudit, join(folder, basename(lastAudit)));
  return folder;
}

/** One that is damaged is kept as it is: it is why a copy is restored. */
function foldLogIfSound(database: string): void {
  try {
    foldLog(database);
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
  }
}

/** How long its log is; throws StoreError `corrupt` where SQLite finds it damaged. */
function soundLeaves(file: string): bigint {
  return readUnchanged(file, (first) => {
    const found = first('PRAGMA integrity_check(1)');
    if (found !== 'ok') {
      throw new StoreError('corrupt', `it is damaged, and nothing was changed: ${String(found)}`);
    }
    const leaves = first('SELECT max(number) FROM log_leaf');
    return typeof leaves === 'bigint' ? leaves : 0n;
  });
}

function partOf(file: string): string {
  return join(dirname(file), `.${basename(file)}.part`);
}

/**
 * Ours alone to read before anything is in it; gone with what is beside it unless it was renamed.
 */
function emptyFile(part: string): { readonly end: () => void } {
  try {
    writeFileSync(part, '', { flag: 'wx', mode: 0o600 });
  } catch (cause) {
    const isThere = existsSync(part);
    const words = isThere
      ? `${part} is there: another copy is being made, or one was cut off; remove it then`
      : `${part} cannot be written: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new StationError('command-failed', words, { cause });
  }
  const remove = (): void => {
    for (const beside of ['', ...companions]) rmSync(part + beside, { force: true });
  };
  process.once('exit', remove);
  return {
    end: () => {
      process.off('exit', remove);
      remove();
    },
  };
}
