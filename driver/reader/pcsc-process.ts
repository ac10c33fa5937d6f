import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FromPcscChild, ToPcscChild } from './pcsc-messages.ts';
import { isFromPcscChild } from './pcsc-messages.ts';

/** The compiled child beside this file; a program that runs from sources names the compiled one. */
export const pcscChildPath = fileURLToPath(new URL('./pcsc-child.js', import.meta.url));

export interface PcscProcessListener {
  message(message: FromPcscChild): void;
  /** Once; nothing follows. */
  exited(detail: string): void;
}

/** One life of the child process that owns `pcsclite`. */
export class PcscProcess {
  readonly exited: Promise<void>;
  readonly #child: ChildProcess;
  #spoke = false;

  constructor(childPath: string, listener: PcscProcessListener) {
    // Structured clone carries bytes as they are; no flag of this process (a debugger's port) is
    // inherited.
    this.#child = fork(childPath, [], {
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: [],
    });
    this.exited = new Promise((resolve) => {
      const over = (detail: string): void => {
        listener.exited(detail);
        resolve();
      };
      let failed = false;
      this.#child.once('error', (error) => {
        // Not started at all: no 'exit' follows.
        if (this.#child.pid !== undefined) return;
        failed = true;
        over(error.message);
      });
      this.#child.once('exit', (code, signal) => {
        if (!failed) over(signal ?? `exit code ${code ?? 0}`);
      });
    });
    this.#child.on('message', (message) => {
      if (!isFromPcscChild(message)) return;
      this.#spoke = true;
      listener.message(message);
    });
  }

  /** It has started and said what it found. */
  get spoke(): boolean {
    return this.#spoke;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: ToPcscChild): void {
    // A child that has just died is told of by 'exit'.
    this.#child.send(message, () => undefined);
  }

  /** At once: a card that does not answer holds up every gentler way. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}
