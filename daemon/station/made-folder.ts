import { makeFolders } from '../folders.ts';
import { StationError } from './station-error.ts';

/**
 * The folder, made where there is none, with those above it. Throws StationError
 * `bad-configuration` where something else is in its place or this user may not make it.
 */
export function makeFolder(folder: string, mode?: number): void {
  try {
    makeFolders(folder, mode);
  } catch (cause) {
    const detail = cause instanceof Error ? cause.message : String(cause);
    const words = `${folder} cannot be made a folder: ${detail}`;
    throw new StationError('bad-configuration', words, { cause });
  }
}
