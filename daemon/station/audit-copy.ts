/**
 * Where an audit keeps its copy of the database. Each is held while its audit runs: whoever finds
 * one that nobody holds, in whichever container, has found what was left of one that was killed.
 */
import { mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { holdFile } from '../store/connection.ts';
import { StationError } from './station-error.ts';

const prefix = 'audit-copy-';
/** Not held yet, and empty: no other audit may take it for abandoned. */
const prefixAtFirst = `new-${prefix}`;

export interface AuditCopy {
  readonly folder: string;
  readonly remove: () => void;
}

/**
 * Gone when it is removed, or when the program ends by itself or by a signal that it heeds. Throws
 * StationError where there is no place.
 */
export function folderForCopy(data: string): AuditCopy {
  removeAbandoned(data);
  try {
    const made = mkdtempSync(join(data, prefixAtFirst));
    const { release } = holdFile(lockOf(made));
    const folder = join(data, prefix + basename(made).slice(prefixAtFirst.length));
    renameSync(made, folder);
    const remove = (): void => {
      process.off('exit', remove);
      rmSync(folder, { recursive: true, force: true });
      release();
    };
    process.once('exit', remove);
    return { folder, remove };
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error);
    const words = `an audit works on a copy of the database, and has no place for it: ${detail}`;
    throw new StationError('command-failed', words, { cause: error });
  }
}

function removeAbandoned(data: string): void {
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

function lockOf(folder: string): string {
  return join(folder, 'held.lock');
}
