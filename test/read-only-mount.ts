/** Whether a test may mount a folder read-only, for itself alone; else what that needs. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Tried on a folder with no other mount below it: such are not bound alone. */
function canMount(): boolean {
  const folder = mkdtempSync(join(tmpdir(), 'keytoll-mount-'));
  try {
    return spawnSync('unshare', ['-rm', 'mount', '--bind', folder, folder]).status === 0;
  } finally {
    rmdirSync(folder);
  }
}

export const readOnlyMountMissing: string | undefined = canMount()
  ? undefined
  : 'read-only media need unshare of util-linux, and user namespaces';
