import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bytesToUint } from '../../../applet-spec/bytes.ts';
import { CardFileError } from '../../../emulator/card/card-error.ts';
import { CardFile } from '../../../emulator/card/card-file.ts';

let folder = '';
let path = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-card-'));
  path = join(folder, 'alice.card');
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('a card’s file', () => {
  it('holds what was committed last, for its owner alone', () => {
    CardFile.make(path, Uint8Array.of(1));
    const file = CardFile.open(path);
    file.commit(Uint8Array.of(2, 3));
    file.close();
    const again = CardFile.open(path);
    expect(again.load()).toEqual(Uint8Array.of(2, 3));
    again.close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('is replaced whole: who reads the old image goes on reading the old image', () => {
    CardFile.make(path, Uint8Array.of(1));
    const file = CardFile.open(path);
    const old = openSync(path, 'r');
    file.commit(Uint8Array.of(2));
    expect(readFileSync(old)).toEqual(Buffer.of(1));
    closeSync(old);
    expect(file.load()).toEqual(Uint8Array.of(2));
    file.close();
  });

  it('is never made over another', () => {
    CardFile.make(path, Uint8Array.of(1));
    expect(codeOf(() => CardFile.make(path, Uint8Array.of(2)))).toBe('card-file-exists');
    const file = CardFile.open(path);
    expect(file.load()).toEqual(Uint8Array.of(1));
    file.close();
  });

  it('is one card at a time', () => {
    CardFile.make(path, Uint8Array.of(1));
    const file = CardFile.open(path);
    expect(codeOf(() => CardFile.open(path))).toBe('card-in-use');
    file.close();
    CardFile.open(path).close();
  });

  it('is not written any more once it is closed', () => {
    CardFile.make(path, Uint8Array.of(1));
    const file = CardFile.open(path);
    file.close();
    expect(codeOf(() => file.commit(Uint8Array.of(2)))).toBe('card-file-unwritable');
  });

  it('says what to do where there is none', () => {
    expect(() => CardFile.open(path)).toThrow('card make');
    expect(codeOf(() => CardFile.open(path))).toBe('card-file-unreadable');
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it('forgets the lock and the half-written file of a process that died', () => {
    CardFile.make(path, Uint8Array.of(1));
    // No process has this number: Linux gives out at most 2^22.
    writeFileSync(`${path}.lock`, '4194305\n');
    writeFileSync(`${path}.new`, 'half');
    const file = CardFile.open(path);
    expect(file.load()).toEqual(Uint8Array.of(1));
    file.commit(Uint8Array.of(2));
    expect(file.load()).toEqual(Uint8Array.of(2));
    file.close();
  });
});

describe('kill -9 of a process that commits', () => {
  it('leaves a whole image, no older than the last one that was confirmed', async () => {
    CardFile.make(path, new Uint8Array(imageBytes));
    let last = 0n;
    for (const commits of [1, 3, 10, 30]) {
      const confirmed = await commitUntilKilled(last, commits);
      const file = CardFile.open(path);
      const image = file.load();
      file.close();
      expect(image).toHaveLength(imageBytes);
      const counts = new Set(numbersIn(image));
      expect(counts.size).toBe(1);
      const [count] = counts;
      expect(count).toBeGreaterThanOrEqual(confirmed);
      expect(confirmed).toBeGreaterThanOrEqual(last + BigInt(commits));
      last = count ?? 0n;
    }
  });
});

/** A full card's size, so that a write takes its time. */
const imageBytes = 65_536;

function numbersIn(image: Uint8Array): readonly bigint[] {
  const numbers: bigint[] = [];
  for (let at = 0; at < image.length; at += 8)
    numbers.push(bytesToUint(image.subarray(at, at + 8)));
  return numbers;
}

/** The built program, as `npm test` makes it. */
const built = join(import.meta.dirname, '../../../dist/emulator/card/card-file.js');

/**
 * Commits images full of the next number, and the next; resolves with the last number confirmed.
 */
async function commitUntilKilled(from: bigint, commits: number): Promise<bigint> {
  const script = `
    import { CardFile } from ${JSON.stringify(built)};
    import { writeSync } from 'node:fs';
    const file = CardFile.open(${JSON.stringify(path)});
    const image = Buffer.alloc(${imageBytes});
    for (let count = ${from + 1n}n; ; count++) {
      for (let at = 0; at < image.length; at += 8) image.writeBigUInt64BE(count, at);
      file.commit(image);
      writeSync(1, count + '\\n');
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const gone = once(child, 'exit');
  let confirmed = from;
  for await (const line of createInterface({ input: child.stdout })) {
    confirmed = BigInt(line);
    if (confirmed >= from + BigInt(commits)) child.kill('SIGKILL');
  }
  await gone;
  expect(child.signalCode).toBe('SIGKILL');
  return confirmed;
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof CardFileError) return error.code;
    throw error;
  }
  return 'nothing was thrown';
}
