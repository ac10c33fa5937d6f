import { join } from 'node:path';
import { holdFile } from '../store/connection.ts';
import { StoreError } from '../store/store-error.ts';
import type { StationConfig } from './config.ts';
import { makeFolder } from './made-folder.ts';
import { StationError } from './station-error.ts';

/**
 * One running station a folder: two would draw each other's keys and offer each other's payments.
 * Held until released, or until the process ends. Throws StationError `already-running`.
 */
export function holdStation(config: StationConfig): { readonly release: () => void } {
  const folder = config.path(config.data);
  makeFolder(folder, 0o700);
  try {
    return holdFile(join(folder, 'running.lock'));
  } catch (error) {
    if (!(error instanceof StoreError && error.code === 'busy')) throw error;
    throw new StationError(
      'already-running',
      `another keytolld runs on ${folder}: stop it first, or name another folder in "data"`,
      { cause: error },
    );
  }
}
