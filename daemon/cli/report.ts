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
  if (command.opts<{ readonly json?: boolean }>().json === true) {
    command.configureOutput().writeOut?.(errorJson(codeOf(error), error.message));
  }
  return failInWords(command, error, exitCode);
}

function failInWords(command: Command, { message }: Error, exitCode: number): never {
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

/** One of many: how it reads in JSON, and as a line. */
export interface PrintedRow {
  readonly json: object;
  readonly line: string;
}

/**
 * Prints rows as they are read, since there may be millions: lines, or the list `name` in JSON,
 * behind what `head` says. Returns how many there were. Where reading fails half way the JSON is
 * whole, and has `error` behind the list.
 */
export async function printPages(
  command: Command,
  { json = false }: { readonly json?: boolean },
  { head, name }: { readonly head: object; readonly name: string },
  pages: AsyncIterable<readonly PrintedRow[]>,
): Promise<number> {
  const say = (text: string): unknown => command.configureOutput().writeOut?.(text);
  let rows = 0;
  let end = '}\n';
  let fault: Error | undefined;
  if (json) say(`${JSON.stringify(head).slice(0, -1)},${JSON.stringify(name)}:[`);
  try {
    for await (const page of pages) {
      const texts = page.map((row) => (json ? JSON.stringify(row.json) : `${row.line}\n`));
      if (texts.length > 0) say((json && rows > 0 ? ',' : '') + texts.join(json ? ',' : ''));
      rows += page.length;
    }
  } catch (error) {
    if (!(error instanceof Error) || !isKnown(error)) throw error;
    fault = error;
    end = `,${errorJson(codeOf(error), error.message).slice(1)}`;
  }
  if (json) say(`]${end}`);
  if (fault !== undefined) failInWords(command, fault, 1);
  return rows;
}
