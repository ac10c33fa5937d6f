/** The real programs as processes of their own, started, measured and ended by the bench. */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../../daemon/clock.ts';

export type ProgramName = 'keytolld' | 'keytoll-emulator';

const built = import.meta.url.endsWith('.ts') ? '../../dist/' : '../../';
const scripts: Readonly<Record<ProgramName, string>> = {
  keytolld: 'daemon/cli/keytolld.js',
  'keytoll-emulator': 'emulator/cli/keytoll-emulator.js',
};
const readyMs = 60_000;
const endMs = 30_000;

export interface BenchProgram {
  /** The JSON object by which it said that it is ready. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** Resident memory now, in bytes. */
  memoryBytes(): number;
  /** CPU seconds used so far, in user and system mode. */
  cpuSeconds(): number;
  end(): Promise<void>;
}

const running = new Set<ChildProcess>();

/** Runs a program to its end. Rejects with what it printed where that was no success. */
export async function runProgram(program: ProgramName, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [scriptOf(program), ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let errors = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text));
  const code = await ended(child);
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ended with ${code}\n${errors}`);
}

/** Starts a program that stays; resolves once it has printed its first line. */
export async function startProgram(
  program: ProgramName,
  args: readonly string[],
  options: { readonly logFile: string; readonly nodeArguments?: readonly string[] },
): Promise<BenchProgram> {
  const log = openSync(options.logFile, 'a', 0o600);
  const script = scriptOf(program);
  const nodeArguments = [...ownNodeArguments(script), ...(options.nodeArguments ?? [])];
  const child = spawn(process.execPath, [...nodeArguments, script, ...args], {
    stdio: ['ignore', 'pipe', log],
  });
  closeSync(log);
  running.add(child);
  child.once('close', () => running.delete(child));
  const ready = await firstLine(child, `${program} ${args.join(' ')}`, options.logFile);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${program} has no process`);
  return {
    ready,
    memoryBytes: () => 1_024 * Number(/VmRSS:\s+(\d+) kB/.exec(procFile(pid, 'status'))?.[1]),
    cpuSeconds: () => cpuTicks(procFile(pid, 'stat')) / 100,
    async end() {
      const cancel = systemClock.after(endMs, () => child.kill('SIGKILL'));
      const gone = ended(child);
      child.kill('SIGTERM');
      await gone;
      cancel();
    },
  };
}

/** Whatever still runs, when the bench fails half way. */
export function killPrograms(): void {
  for (const child of running) child.kill('SIGKILL');
}

function scriptOf(program: ProgramName): string {
  return fileURLToPath(new URL(`${built}${scripts[program]}`, import.meta.url));
}

/** What a program's first line gives to Node.js where its users start it by its name. */
function ownNodeArguments(script: string): readonly string[] {
  const [firstLine = ''] = readFileSync(script, 'utf8').split('\n', 1);
  return firstLine.split(' ').filter((word) => word.startsWith('--'));
}

function ended(child: ChildProcess): Promise<number | string> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  if (child.signalCode !== null) return Promise.resolve(child.signalCode);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve(code ?? signal ?? 'gone');
    });
  });
}

function firstLine(
  child: ChildProcess,
  command: string,
  logFile: string,
): Promise<Readonly<Record<string, unknown>>> {
  return new Promise((resolve, reject) => {
    let output = '';
    const fail = (why: string): void => {
      cancel();
      reject(new Error(`${command}: ${why}\n${readFileSync(logFile, 'utf8').slice(-4_096)}`));
    };
    const cancel = systemClock.after(readyMs, () => {
      fail('not ready in time');
    });
    child.once('exit', () => {
      fail('ended before it was ready');
    });
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      const end = output.indexOf('\n');
      if (end < 0) return;
      cancel();
      child.removeAllListeners('exit');
      const value: unknown = JSON.parse(output.slice(0, end));
      resolve(Object.fromEntries(Object.entries(value ?? {})));
    });
  });
}

/** Of Linux; proc(5). */
function procFile(pid: number, name: 'status' | 'stat'): string {
  return readFileSync(`/proc/${pid}/${name}`, 'utf8');
}

/** utime and stime, fields 14 and 15: the 12th and 13th behind the parenthesised name. */
function cpuTicks(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}
