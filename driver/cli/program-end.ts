/** What becomes of words that nobody takes. */
import { exitCodes } from './exit-codes.ts';

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
    stderr.write(`keytoll: what it printed was lost: ${error.message}\n`);
    process.once('exit', (exitCode) => {
      if (exitCode === exitCodes.done) process.exitCode = exitCodes.fault;
    });
  });
}
