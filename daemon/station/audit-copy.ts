/**
 * Where an audit keeps its copy of the database. Each is held while its audit runs: whoever finds
 * one that nobody holds, in whichever container, has found what was left of one that was killed.
 */
import { existsSync, mkdtempSync, readdirSync, renameSync, rmdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { holdFile } from '../store/connection.ts';
import { StationError } from './station-error.ts';

const prefix = 'audit-copy-';
/** Not held yet: only what is empty may be taken away, which its audit notices when it holds it. */
const prefixAtFirst = `new-${prefix}`;
/** Another audit may take an empty one away once, and hardly twice. */
const triesMost = 3;

export interface AuditCopy {
  readonly folder: string;
  readonly remove: () => void;
}

/**
 * Gone when it is removed, or when the program ends by itself or by a signal that it heeds. Throws
 * StationError where there is no place.
 */
export function folderForCopy(data: string, hold = holdFile): AuditCopy {
  removeAbandoned(data);
  for (let tries = 1; ; tries++) {
    try {
      return heldFolder(data, hold);
    } catch (error) {
      if (tries < triesMost) continue;
      const detail = error instanceof Error ? error.message : String(error);
      const words = `an audit works on a copy of the database, and has no place for it: ${detail}`;
      throw new StationError('command-failed', words, { cause: error });
    }
  }
}

function heldFolder(data: string, hold: typeof holdFile): AuditCopy {
  const made = mkdtempSync(join(data, prefixAtFirst));
  const folder = join(data, prefix + basename(made).slice(prefixAtFirst.length));
  let release: (() => void) | undefined;
  try {
    ({ release } = hold(lockOf(made)));
    renameSync(made, folder);
  } catch (error) {
    rmSync(made, { recursive: true, force: true });
    release?.();
    throw error;
  }
  const remove = (): void => {
    process.off('exit', remove);
    rmSync(folder, { recursive: true, force: true });
    release();
  };
  process.once('exit', remove);
  return { folder, remove };
}

function removeAbandoned(data: string): void {
  for (const name of readdirSync(data)) {
    if (name.startsWith(prefixAtFirst)) adoptAbandoned(data, name);
  }
  for (const name of readdirSync(data)) {
    if (!name.startsWith(prefix)) continue;
    const folder = join(data, name);
    try {
      holdFile(lockOf(folder)).release();
    } catch {
      // Held, or not ours to look into.
      continue;
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One whose audit was killed before it held it, or before it named it so. */
function adoptAbandoned(data: string, name: string): void {
  const folder = join(data, name);
  try {
    rmdirSync(folder);
  } catch {
    if (!existsSync(lockOf(folder))) return;
    try {
      const { release } = holdFile(lockOf(folder));
      // An audit that was only about to hold it finds it gone, and makes another.
      try {
        renameSync(folder, join(data, prefix + name.slice(prefixAtFirst.length)));
      } finally {
        release();
      }
    } catch {
      // Held, or not ours to look into.
    }
  }
}

function lockOf(folder: string): string {
  return join(folder, 'held.lock');
}
