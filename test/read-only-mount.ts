/** Whether a test may mount a folder read-only, for itself alone; else what that needs. */
import { spawnSync } from 'node:child_process';

const mounts = ['-rm', 'mount', '--bind', '/tmp', '/tmp'];

export const readOnlyMountMissing: string | undefined =
  spawnSync('unshare', mounts).status === 0
    ? undefined
    : 'read-only media need unshare of util-linux, and user namespaces';
