/**
 * The file that a card lives in: its whole state, replaced by rename after each transaction, so
 * that a kill at any moment leaves the old state or the new one. A lock keeps a card from running
 * twice: two of it would sign with the same coins.
 */
import {
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { CardFileError } from './card-error.ts';
import type { Storage } from './storage.ts';

/** The state holds private key, PIN and coin secrets: nobody else may read it. */
const ownerOnly = 0o600;

export class CardFile implements Storage {
  readonly path: string;
  readonly #lockPath: string;
  #open = true;

  private constructor(path: string) {
    this.path = path;
    this.#lockPath = lockPathOf(path);
  }

  /** For this process alone, until `close`. Throws CardFileError. */
  static open(path: string): CardFile {
    if (!existsSync(path)) {
      throw new CardFileError(
        'card-file-unreadable',
        path,
        'there is no such card; `keytoll-emulator card make` makes one',
      );
    }
    lock(path);
    return new CardFile(path);
  }

  /** A new file; never over an old one. Throws CardFileError. */
  static make(path: string, image: Uint8Array): void {
    const temporary = `${path}.new`;
    try {
      writeDurably(temporary, image);
      // A link, unlike a rename, fails where the name is taken.
      linkSync(temporary, path);
      syncFolderOf(path);
    } catch (error) {
      if (hasCode(error, 'EEXIST')) {
        throw new CardFileError('card-file-exists', path, 'there is a card already', error);
      }
      throw unwritable(path, error);
    } finally {
      rmSync(temporary, { force: true });
    }
  }

  load(): Uint8Array {
    try {
      return Uint8Array.from(readFileSync(this.path));
    } catch (error) {
      const detail = 'the card cannot be read; check its permissions';
      throw new CardFileError('card-file-unreadable', this.path, detail, error);
    }
  }

  commit(image: Uint8Array): void {
    if (!this.#open) throw new CardFileError('card-file-unwritable', this.path, 'it is closed');
    const temporary = `${this.path}.new`;
    try {
      writeDurably(temporary, image);
      renameSync(temporary, this.path);
      syncFolderOf(this.path);
    } catch (error) {
      throw unwritable(this.path, error);
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    heldHere.delete(this.#lockPath);
    rmSync(this.#lockPath, { force: true });
  }
}

function writeDurably(path: string, bytes: Uint8Array): void {
  const file = openSync(path, 'w', ownerOnly);
  try {
    for (let written = 0; written < bytes.length;) {
      written += writeSync(file, bytes, written);
    }
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

/** The rename is durable once its folder is. */
function syncFolderOf(path: string): void {
  const folder = openSync(dirname(path), 'r');
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}

/** Locks that this process holds: its process number in any other lock is a dead process's. */
const heldHere = new Set<string>();

/** Takes the lock, also from a process that was killed with it. */
function lock(path: string): void {
  const lockPath = lockPathOf(path);
  for (;;) {
    if (taken(path, lockPath)) {
      heldHere.add(lockPath);
      return;
    }
    const holder = holderOf(lockPath);
    if (holder !== undefined && (heldHere.has(lockPath) || isOtherRunning(holder))) {
      const detail = `process ${holder} is this card now; end it first`;
      throw new CardFileError('card-in-use', path, detail);
    }
    takeAway(lockPath, holder);
  }
}

/** False where there is one. A link of what is written whole: none is seen without its holder. */
function taken(path: string, lockPath: string): boolean {
  const own = `${lockPath}.${process.pid}.new`;
  try {
    writeFileSync(own, `${process.pid}\n`, { mode: ownerOnly });
    linkSync(own, lockPath);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw unwritable(path, error);
  } finally {
    rmSync(own, { force: true });
  }
}

/** Removes a dead holder's lock, and no other that came into its place meanwhile. */
function takeAway(lockPath: string, deadHolder: number | undefined): void {
  const aside = `${lockPath}.${process.pid}`;
  try {
    renameSync(lockPath, aside);
    if (holderOf(aside) !== deadHolder) linkSync(aside, lockPath);
  } catch (error) {
    if (!hasCode(error, 'ENOENT') && !hasCode(error, 'EEXIST')) throw error;
  } finally {
    rmSync(aside, { force: true });
  }
}

function lockPathOf(path: string): string {
  return `${path}.lock`;
}

function holderOf(lockPath: string): number | undefined {
  try {
    const holder = Number.parseInt(readFileSync(lockPath, 'utf8'), 10);
    return Number.isNaN(holder) ? undefined : holder;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function isOtherRunning(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return hasCode(error, 'EPERM');
  }
}

function unwritable(path: string, cause: unknown): CardFileError {
  const detail = 'the card cannot be written; check its folder, its permissions and the disk';
  return new CardFileError('card-file-unwritable', path, detail, cause);
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
