/** The real programs by their command lines: started, waited for, and always ended. */
import { spawn, type ChildProcess } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { DemoError } from './demo-error.ts';
import { Turnstile } from './turnstile.ts';

export type ProgramName = 'keytoll' | 'keytolld' | 'keytoll-emulator';

/** Programs are run as built, also where this file is read as source. */
const built = import.meta.url.endsWith('.ts') ? '../../dist/' : '../../';
const scripts: Readonly<Record<ProgramName, string>> = {
  keytoll: 'driver/cli/keytoll.js',
  keytolld: 'daemon/cli/keytolld.js',
  'keytoll-emulator': 'emulator/cli/keytoll-emulator.js',
};

const errorTailBytes = 4_096;
/** A program that stays has this long until it is ready: machines may be busy. */
const readyMs = 60_000;
/** After SIGTERM a program has this long before it is killed. */
const endMs = 10_000;

export interface RunningProgram {
  /** The JSON line by which it said that it is ready. */
  readonly ready: Readonly<Record<string, unknown>>;
  /** SIGTERM, then SIGKILL; resolves with the exit code, or the signal's name. */
  end(): Promise<number | string>;
}

export interface ProgramSeams {
  readonly after: (ms: number, run: () => void) => () => void;
}

/** All processes of one demo, so that none outlives it. */
export class Programs {
  readonly #seams: ProgramSeams;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #running = new Set<ChildProcess>();
  readonly #errors = new Map<ChildProcess, () => string>();
  /** Programs that start take a core each: more at once would only be slower, and larger. */
  readonly #starting = new Turnstile(availableParallelism() + 1);
  readonly #fallen: string[] = [];
  #ending = false;

  /** `environment` is added to this process's own. */
  constructor(seams: ProgramSeams, environment: Readonly<Record<string, string>> = {}) {
    this.#seams = seams;
    this.#environment = environment;
  }

  /** Runs a command to its end; returns the JSON object that it printed. Rejects with DemoError. */
  run(program: ProgramName, args: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
    return this.#starting.pass(async () => {
      const { child, output, errors } = this.#start(program, args);
      const code = await exitOf(child);
      if (code !== 0) throw failed(program, args, code, errors());
      return parsed(program, args, output());
    });
  }

  /** Starts a program that stays; resolves once it has printed its first line. */
  start(program: ProgramName, args: readonly string[]): Promise<RunningProgram> {
    return this.#starting.pass(() => this.#startToStay(program, args));
  }

  async #startToStay(program: ProgramName, args: readonly string[]): Promise<RunningProgram> {
    const { child, output, errors } = this.#start(program, args);
    const ready = await new Promise<Readonly<Record<string, unknown>>>((resolve, reject) => {
      const cancel = this.#seams.after(readyMs, () => {
        reject(failed(program, args, 'not ready in time', errors()));
      });
      const look = (): void => {
        const [line, more] = output().split('\n', 2);
        if (more === undefined || line === undefined) return;
        cancel();
        try {
          resolve(parsed(program, args, line));
        } catch (error) {
          reject(error instanceof Error ? error : new DemoError(String(error)));
        }
      };
      child.stdout.on('data', look);
      child.once('exit', (code, signal) => {
        cancel();
        reject(failed(program, args, code ?? signal ?? 'gone', errors()));
      });
    });
    child.once('close', (code, signal) => {
      if (this.#ending) return;
      this.#fallen.push(failed(program, args, code ?? signal ?? 'gone', errors()).message);
    });
    return { ready, end: () => this.#end(child) };
  }

  /**
   * What fell over, and what running programs complained of last: their logs from level warn on.
   */
  complaints(): string[] {
    const logged = [...this.#errors.values()].flatMap((errors) =>
      errors()
        .split('\n')
        .filter((line) => /"level":(?:[4-6]0)\b/.test(line)),
    );
    return [...logged, ...this.#fallen];
  }

  /** Ends every program that still runs, the last started first. */
  async endAll(): Promise<void> {
    this.#ending = true;
    await Promise.all([...this.#running].reverse().map((child) => this.#end(child)));
  }

  #start(program: ProgramName, args: readonly string[]) {
    if (this.#ending) throw new DemoError('the demo is ending');
    const script = fileURLToPath(new URL(`${built}${scripts[program]}`, import.meta.url));
    const child = spawn(process.execPath, [script, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...this.#environment },
    });
    this.#running.add(child);
    child.once('close', () => {
      this.#running.delete(child);
      this.#errors.delete(child);
    });
    const output = collect(child.stdout);
    const errors = collect(child.stderr, errorTailBytes);
    this.#errors.set(child, errors);
    return { child, output, errors };
  }

  #end(child: ChildProcess): Promise<number | string> {
    if (child.exitCode !== null || child.signalCode !== null) return exitOf(child);
    const ended = exitOf(child);
    child.kill('SIGTERM');
    const cancel = this.#seams.after(endMs, () => {
      child.kill('SIGKILL');
    });
    return ended.finally(cancel);
  }
}

function exitOf(child: ChildProcess): Promise<number | string> {
  if (child.exitCode !== null) return Promise.resolve(child.exitCode);
  if (child.signalCode !== null) return Promise.resolve(child.signalCode);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve(code ?? signal ?? 'gone');
    });
  });
}

/** All that a stream gave so far, or its last `tailBytes`. */
function collect(stream: NodeJS.ReadableStream | null, tailBytes?: number): () => string {
  let text = '';
  stream?.setEncoding('utf8');
  stream?.on('data', (part: string) => {
    text += part;
    if (tailBytes !== undefined) text = text.slice(-tailBytes);
  });
  return () => text;
}

function parsed(
  program: ProgramName,
  args: readonly string[],
  text: string,
): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null)
      return Object.fromEntries(Object.entries(value));
  } catch {
    // Said below.
  }
  throw failed(program, args, 'printed no JSON object', text);
}

function failed(
  program: ProgramName,
  args: readonly string[],
  what: number | string,
  detail: string,
): DemoError {
  const command = [program, ...args.filter((arg) => !arg.startsWith('/'))].slice(0, 4).join(' ');
  const how = typeof what === 'number' ? `ended with ${what}` : what;
  return new DemoError(`${command}: ${how}${detail === '' ? '' : `\n${detail.trimEnd()}`}`);
}
