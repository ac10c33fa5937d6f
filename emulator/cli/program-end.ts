/** How `keytoll-emulator` ends: its exit codes, and what becomes of words that nobody takes. */
import type { CommanderError } from 'commander';

/** 0 done, 1 fault, 2 usage: what commander itself finds wrong in a command line. */
export function endWith({ code, exitCode }: Pick<CommanderError, 'code' | 'exitCode'>): never {
  const ofUsage = exitCode !== 0 && code.startsWith('commander.') && code !== 'commander.error';
  process.exit(ofUsage ? 2 : exitCode);
}

/**
 * Whoever reads may have enough, as `head` does: no fault, and what is under way goes on. A disk
 * that is full is one.
 */
export function bearClosedOutput({
  stdout,
  stderr,
}: Pick<NodeJS.Process, 'stdout' | 'stderr'>): void {
  stderr.on('error', () => undefined);
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') return;
    stderr.write(`keytoll-emulator: what it printed was lost: ${error.message}\n`);
    process.once('exit', (exitCode) => {
      if (exitCode === 0) process.exitCode = 1;
    });
  });
}
