/** A command of one of the programs that `npm run build` has built, as a shell would run it. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';

const files = {
  keytoll: 'driver/cli/keytoll.js',
  keytolld: 'daemon/cli/keytolld.js',
  'keytoll-emulator': 'emulator/cli/keytoll-emulator.js',
} as const;

export type ProgramName = keyof typeof files;

export interface Ended {
  readonly exitCode: number | string | null | undefined;
  readonly out: string;
  readonly err: string;
}

export function programFile(name: ProgramName): string {
  return join(import.meta.dirname, '../dist', files[name]);
}

/** In `folder`, without a terminal and without standard input. */
export function programRun(
  name: ProgramName,
  folder: string,
  words: readonly string[],
): Promise<Ended> {
  return ended(process.execPath, [programFile(name), ...words], folder);
}

/** `"$0"` is node and `"$1"` the program. */
export function shellRun(name: ProgramName, folder: string, script: string): Promise<Ended> {
  return ended('bash', ['-c', script, process.execPath, programFile(name)], folder);
}

function ended(file: string, words: readonly string[], folder: string): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(file, words, { cwd: folder }, (error, out, err) => {
      resolve({ exitCode: error === null ? 0 : error.code, out, err });
    });
    child.stdin?.end();
  });
}
