import { existsSync, mkdirSync, mkdtempSync, readdirSync } from 'node:fs';
import { rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { folderForCopy } from '../../../daemon/station/audit-copy.ts';
import { holdFile } from '../../../daemon/store/connection.ts';

let data: string;

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'keytoll-copies-'));
});

afterEach(() => {
  rmSync(data, { recursive: true });
});

function folder(name: string, ...files: string[]): string {
  const path = join(data, name);
  mkdirSync(path);
  for (const file of files) writeFileSync(join(path, file), '');
  return path;
}

/** What is left once another audit has come and gone. */
function left(): string[] {
  folderForCopy(data).remove();
  return readdirSync(data).sort();
}

describe('the place for the copy of an audit', () => {
  it('is free of what an audit left that was killed before it held its folder', () => {
    folder('new-audit-copy-empty');
    folder('new-audit-copy-almost', 'held.lock');
    expect(left()).toEqual([]);
  });

  it('leaves alone what an audit holds, at whichever moment, and what is none of its own', () => {
    const held = [folder('audit-copy-held'), folder('new-audit-copy-too')].map((path) =>
      holdFile(join(path, 'held.lock')),
    );
    folder('new-audit-copy-of-somebody', 'letter');
    folder('somebodys');
    const names = ['audit-copy-held', 'new-audit-copy-of-somebody', 'new-audit-copy-too'];
    expect(left()).toEqual([...names, 'somebodys']);
    for (const { release } of held) release();
    expect(left()).toEqual(['new-audit-copy-of-somebody', 'somebodys']);
  });

  it('is made anew where another audit took it for one that was left', () => {
    const tries: string[] = [];
    const copy = folderForCopy(data, (lock) => {
      if (tries.push(lock) === 1) rmdirSync(dirname(lock));
      return holdFile(lock);
    });
    expect(tries).toHaveLength(2);
    expect(existsSync(copy.folder)).toBe(true);
    expect(readdirSync(data)).toHaveLength(1);
    copy.remove();
    expect(readdirSync(data)).toEqual([]);
  });

  it('is given up where it can be held in no way, and nothing is left', () => {
    const fault = new Error('no locks here');
    const hold = () => {
      throw fault;
    };
    expect(() => folderForCopy(data, hold)).toThrow(/has no place for it: no locks here/);
    expect(readdirSync(data)).toEqual([]);
  });
});
