/** How `keytolld` ends: its exit codes, and what becomes of words that nobody takes. */
import type { CommanderError } from 'commander';
import { errorJson } from './report.ts';

/** 0 done, 1 fault, 2 usage: what commander itself finds wrong in a command line. */
export function endWith({
  code,
  exitCode,
  message,
}: Pick<CommanderError, 'code' | 'exitCode' | 'message'>): never {
  const ofUsage = exitCode !== 0 && code.startsWith('commander.') && code !== 'commander.error';
  // A line that cannot be read has no options yet; commander has told people already.
  if (ofUsage && process.argv.includes('--json')) {
    const isHelp = code === 'commander.help';
    const words = isHelp ? 'a command is missing' : message.replace(/^error: /, '');
    process.stdout.write(errorJson('usage', words));
  }
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
    stderr.write(`keytolld: what it printed was lost: ${error.message}\n`);
    process.once('exit', (exitCode) => {
      if (exitCode === 0) process.exitCode = 1;
    });
  });
}
