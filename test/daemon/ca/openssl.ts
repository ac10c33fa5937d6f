import { spawnSync } from 'node:child_process';

/** Runs the openssl program; its output, whatever it says of the outcome. */
export function openssl(...args: readonly string[]): { status: number | null; output: string } {
  const { status, stdout, stderr, error } = spawnSync('openssl', args, { encoding: 'utf8' });
  if (error !== undefined) throw error;
  return { status, output: stdout + stderr };
}
