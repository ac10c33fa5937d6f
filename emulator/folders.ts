/** Folders where there are none, in a way that ends everywhere. */
import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes the folder, and those above it that there are not. Throws the system's error.
 *
 * One by one: under `/proc`, which makes none and says that the one above is missing, Node's
 * `recursive` tries for ever.
 */
export function makeFolders(folder: string, mode?: number): void {
  const above = dirname(folder);
  try {
    mkdirSync(folder, { ...(mode !== undefined && { mode }) });
  } catch (error) {
    if (isCode(error, 'EEXIST') && statSync(folder).isDirectory()) return;
    if (!isCode(error, 'ENOENT') || isThere(above)) throw error;
    makeFolders(above, mode);
    makeFolders(folder, mode);
  }
}

function isThere(folder: string): boolean {
  return statSync(folder, { throwIfNoEntry: false }) !== undefined;
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
