/**
 * A disk that takes no more in the middle of a write (failure 41). A limit on the size of files
 * stands in for it: the system then refuses to write, as it would for a fault.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openSqliteStore } from '../../../daemon/store/sqlite-store.ts';
import { sqliteOptions } from '../../contract/sqlite-store-bench.ts';
import { keyUse } from './crash-plan.ts';

const program = join(import.meta.dirname, '../../../dist/test/daemon/store/failing-disk-child.js');
/** Blocks of 512 bytes, as POSIX has it. */
const limited = `trap '' XFSZ; ulimit -f 4096; exec "$0" "$@"`;

it('a store whose disk failed takes nothing more, and has what was answered', async () => {
  expect(existsSync(program), 'run `npm run build` first').toBe(true);
  const folder = mkdtempSync(join(tmpdir(), 'keytoll-disk-'));
  const file = join(folder, 'station.sqlite');
  try {
    const command = ['-c', limited, process.execPath, program, file];
    const { stdout, stderr } = spawnSync('sh', command, { encoding: 'utf8' });
    expect(stderr).toBe('');
    const lines = stdout.trimEnd().split('\n');
    const used = lines.filter((line) => line.startsWith('used '));
    expect(used.length).toBeGreaterThan(10);
    expect(lines.slice(used.length)).toEqual([
      'broken io',
      'refused io',
      'refused io',
      'refused io',
    ]);
    const store = await openSqliteStore(sqliteOptions(file));
    const uses = Array.from({ length: used.length + 2 }, (_, n) => keyUse(n));
    const [another, afterwards, ...answered] = [...(await store.recordUse(uses))].reverse();
    await store.close();
    expect(new Set(answered)).toEqual(new Set(['already-used']));
    // Refused before it was written; of the one that failed, either may be true.
    expect(another).toBe('recorded');
    expect(['recorded', 'already-used']).toContain(afterwards);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
