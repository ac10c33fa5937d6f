import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readSymmetricKey } from '../../../daemon/station/key-files.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keytoll-key-files-'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

function keyOf(mode: number, ...place: string[]): string {
  mkdirSync(join(folder, ...place), { recursive: true });
  const file = join(folder, ...place, 'storage.key');
  writeFileSync(file, `${'5a'.repeat(32)}\n`);
  chmodSync(file, mode);
  return file;
}

describe('a secret key in a file', () => {
  it('is its owner’s alone', () => {
    expect(readSymmetricKey(keyOf(0o600))).toEqual(new Uint8Array(32).fill(0x5a));
    const shown = keyOf(0o440);
    const words = `${shown} can be read by others (mode 440); run: chmod 600 ${shown}`;
    expect(() => readSymmetricKey(shown)).toThrow(words);
  });

  it('may be a credential of the service manager, whose access list shows as the group’s', () => {
    vi.stubEnv('CREDENTIALS_DIRECTORY', folder);
    expect(readSymmetricKey(keyOf(0o440))).toEqual(new Uint8Array(32).fill(0x5a));
    expect(() => readSymmetricKey(keyOf(0o444))).toThrow('(mode 444)');
    expect(() => readSymmetricKey(keyOf(0o460))).toThrow('(mode 460)');
    expect(() => readSymmetricKey(keyOf(0o440, 'elsewhere'))).toThrow('(mode 440)');
  });
});
