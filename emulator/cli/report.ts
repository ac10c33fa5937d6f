/** How `keytoll-emulator` says what went wrong. */
import type { Command } from 'commander';
import { CardFileError } from '../card/card-error.ts';

/** What keeps a file or a port from being used; the message of each says which. */
const systemCodes = [
  ...['EACCES', 'EADDRINUSE', 'EADDRNOTAVAIL', 'EEXIST', 'EISDIR', 'ENOENT', 'ENOSPC', 'ENOTDIR'],
  ...['ENOTFOUND', 'EPERM', 'EROFS'],
];

/**
 * One clear line for what a person can put right; anything else is a defect and keeps its stack.
 */
export async function reporting(command: Command, run: () => Promise<void> | void): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof Error) || !isKnown(error)) throw error;
    const message = `${wholeName(command)}: ${error.message}`;
    command.showHelpAfterError(false).error(message, { exitCode: 1 });
  }
}

function isKnown(error: Error): boolean {
  if (error instanceof CardFileError || error instanceof RangeError) return true;
  return 'code' in error && systemCodes.includes(String(error.code));
}

/** Such as `keytoll-emulator card run`. */
function wholeName(command: Command): string {
  return command.parent === null
    ? command.name()
    : `${wholeName(command.parent)} ${command.name()}`;
}
