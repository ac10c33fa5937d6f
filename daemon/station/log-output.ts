import { write, writeSync } from 'node:fs';
import type { Clock } from '../../applet-spec/clock.ts';

/** Lines are written many at once, as late as this; as often a slow reader is tried again. */
const gatheredMs = 50;
/** What may wait for a slow reader, in characters. */
const waitingMost = 4 * 2 ** 20;

/**
 * Where pino's lines go: a file, pipe or terminal that is open. Where its disk is full, or nobody
 * reads it any more, lines are dropped and later ones tried: a station does not end, nor wait at
 * its end, for the sake of its log.
 */
export class LogOutput {
  readonly #descriptor: number;
  readonly #clock: Clock;
  #waiting = '';
  #unwritten = Buffer.alloc(0);
  #isDue = false;

  constructor(descriptor: number, clock: Clock) {
    this.#descriptor = descriptor;
    this.#clock = clock;
  }

  write(line: string): void {
    if (this.#waiting.length + line.length > waitingMost) return;
    this.#waiting += line;
    this.#later();
  }

  /** For the end of the process, which waits for nobody. */
  flushSync(): void {
    let rest = Buffer.from(this.#waiting);
    this.#waiting = '';
    try {
      while (rest.length > 0) rest = rest.subarray(writeSync(this.#descriptor, rest));
    } catch {
      // Nobody is left to be told.
    }
  }

  #later(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#clock.after(gatheredMs, () => {
      this.#writeOn();
    });
  }

  #writeOn(): void {
    if (this.#unwritten.length === 0) {
      this.#unwritten = Buffer.from(this.#waiting);
      this.#waiting = '';
    }
    write(this.#descriptor, this.#unwritten, (error, written) => {
      this.#unwritten = this.#unwritten.subarray(error === null ? written : lost(error));
      this.#isDue = false;
      if (this.#unwritten.length > 0 || this.#waiting !== '') this.#later();
    });
  }
}

/** Of what could not be written: nothing where it is only too early. */
function lost({ code }: NodeJS.ErrnoException): number {
  return code === 'EAGAIN' ? 0 : Number.POSITIVE_INFINITY;
}
