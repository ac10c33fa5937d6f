/** For child processes that may be killed at any moment: what they said is on its way. */
import { writeSync } from 'node:fs';
import { toUtf8 } from '../applet-spec/bytes.ts';

/**
 * One line on standard output, written when it returns. The pipe to a parent that is busy may be
 * full, and does not wait by itself.
 */
export function sayLine(line: string): void {
  let rest = toUtf8(`${line}\n`);
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error;
    }
  }
}
