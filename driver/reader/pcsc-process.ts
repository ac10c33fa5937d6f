import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { encodePcscFrame, PcscFrameReader } from './pcsc-frames.ts';
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
  readonly #wire: Socket;
  #spoke = false;

  constructor(childPath: string, listener: PcscProcessListener) {
    // No flag of this process, such as a debugger's port, is inherited.
    this.#child = spawn(process.execPath, [childPath], {
      stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
    });
    this.#wire = wireOf(this.#child);
    this.exited = new Promise((resolve) => {
      const over = (detail: string): void => {
        listener.exited(detail);
        resolve();
      };
      let failed = false;
      this.#child.once('error', (error) => {
        // Not started at all: no end follows.
        if (this.#child.pid !== undefined) return;
        failed = true;
        over(error.message);
      });
      // Its last words may still be on the wire when it has ended.
      this.#child.once('close', (code, signal) => {
        if (!failed) over(signal ?? `exit code ${code ?? 0}`);
      });
    });
    const frames = new PcscFrameReader();
    this.#wire.on('data', (chunk: Uint8Array) => {
      for (const message of frames.push(chunk)) {
        if (!isFromPcscChild(message)) continue;
        this.#spoke = true;
        listener.message(message);
      }
    });
    // A wire that breaks is told of by the child's end.
    this.#wire.on('error', () => undefined);
  }

  /** It has started and said what it found. */
  get spoke(): boolean {
    return this.#spoke;
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: ToPcscChild): void {
    this.#wire.write(encodePcscFrame(message));
  }

  /** At once: a card that does not answer holds up every gentler way. */
  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

function wireOf(child: ChildProcess): Socket {
  const wire = child.stdio[3];
  // A process that could not be started has none.
  return wire instanceof Socket ? wire : new Socket();
}
