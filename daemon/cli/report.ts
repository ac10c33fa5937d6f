/**
 * How `keytolld` prints: JSON or lines on standard output, one line of fault on standard error, and
 * with `--json` `{ "error": { code, message } }` beside it, as `keytoll` does.
 */
import type { Command } from 'commander';
import { CertificateError } from '../../applet-spec/certificate-error.ts';
import { CaError } from '../ca/ca-error.ts';
import { EntropyError } from '../entropy-error.ts';
import { QkdError } from '../qkd/qkd-error.ts';
import { StationError } from '../station/station-error.ts';
import { StoreError } from '../store/store-error.ts';

const known = [
  EntropyError,
  StationError,
  StoreError,
  CaError,
  CertificateError,
  QkdError,
  RangeError,
];

/** Carries out a command; a fault that we know becomes one line and exit code 1. */
export async function reporting(command: Command, run: () => Promise<void> | void): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (error instanceof Error && isKnown(error)) fail(command, error);
    throw error;
  }
}

/** What the system says no to names what was tried, and where; anything else is a defect. */
function isKnown(error: Error): boolean {
  return known.some((kind) => error instanceof kind) || ('syscall' in error && 'code' in error);
}

/** One line of fault, and exit code 1 where no other is given; no word of help, which has none. */
export function fail(command: Command, error: Error, exitCode = 1): never {
  const { message } = error;
  if (command.opts<{ readonly json?: boolean }>().json === true) {
    command.configureOutput().writeOut?.(errorJson(codeOf(error), message));
  }
  return command.showHelpAfterError(false).error(`${wholeName(command)}: ${message}`, { exitCode });
}

/** What commander itself cannot see is wrong in a command line: exit code 2. */
export function failUsage(command: Command, message: string): never {
  return command.error(`error: ${message}`, { code: 'commander.usage', exitCode: 2 });
}

export function errorJson(code: string, message: string): string {
  return `${JSON.stringify({ error: { code, message } })}\n`;
}

/** What was asked for is at fault where an error has no code of its own. */
function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'bad-value';
}

/** Such as `keytolld account show`. */
function wholeName(command: Command): string {
  return command.parent === null
    ? command.name()
    : `${wholeName(command.parent)} ${command.name()}`;
}

export function print(
  command: Command,
  options: { readonly json?: boolean },
  json: object,
  lines: readonly string[],
): void {
  const text = options.json === true ? JSON.stringify(json) : lines.join('\n');
  command.configureOutput().writeOut?.(`${text}\n`);
}
