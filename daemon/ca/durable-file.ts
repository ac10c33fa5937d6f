/** Files that are there whole or not at all, and still there after a power cut. */
import { link, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

let temporaries = 0;

/** False, and nothing changed, where the file exists already: of two writers one wins. */
export async function createFile(
  path: string,
  content: Uint8Array | string,
  mode: number,
): Promise<boolean> {
  return viaTemporary(path, content, mode, async (temporary) => {
    try {
      await link(temporary, path);
      return true;
    } catch (error) {
      if (isNodeError(error, 'EEXIST')) return false;
      throw error;
    } finally {
      await rm(temporary, { force: true });
    }
  });
}

/** Replaces what was there. */
export async function replaceFile(
  path: string,
  content: Uint8Array | string,
  mode: number,
): Promise<void> {
  await viaTemporary(path, content, mode, (temporary) => rename(temporary, path));
}

/** Makes the entries of a folder as durable as their files. */
export async function syncFolder(path: string): Promise<void> {
  await syncFile(path);
}

/** Makes what was written to a file durable. */
export async function syncFile(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

export function isNodeError(error: unknown, ...codes: readonly string[]): error is Error {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

async function viaTemporary<T>(
  path: string,
  content: Uint8Array | string,
  mode: number,
  publish: (temporary: string) => Promise<T>,
): Promise<T> {
  const name = `.${basename(path)}.${String(process.pid)}.${String(temporaries++)}`;
  const temporary = join(dirname(path), name);
  try {
    // Exclusive: nobody's file or link is written through. The mode is there before the content.
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(content);
      await file.sync();
    } finally {
      await file.close();
    }
    const published = await publish(temporary);
    await syncFolder(dirname(path));
    return published;
  } catch (error) {
    await rm(temporary, { force: true });
    throw placed(error, path);
  }
}

/** A fault of a file that is open names no path. */
function placed(error: unknown, path: string): unknown {
  if (!(error instanceof Error) || !('syscall' in error) || 'path' in error) return error;
  const { message, syscall } = error;
  const code = 'code' in error ? error.code : undefined;
  return Object.assign(new Error(`${message} '${path}'`, { cause: error }), { code, syscall });
}
