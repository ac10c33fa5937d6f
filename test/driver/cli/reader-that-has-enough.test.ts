/** `keytoll … | head`: whoever reads the output may close it before the end. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const run = promisify(execFile);
const dist = join(import.meta.dirname, '../../../dist');

it.each(['driver/cli/keytoll.js', 'daemon/cli/keytolld.js'])(
  '%s says nothing of a reader that has enough',
  async (program) => {
    const path = join(dist, program);
    expect(existsSync(path)).toBe(true);
    const piped = '"$0" "$1" --help | true';
    const { stderr } = await run('sh', ['-c', piped, process.execPath, path]);
    expect(stderr).toBe('');
  },
);
