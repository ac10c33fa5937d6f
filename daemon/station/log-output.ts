import { write, writeSync } from 'node:fs';
import type { Clock } from '../../applet-spec/clock.ts';

/** Lines are written many at once, as late as this; as often a slow reader is tried again. */
const gatheredMs = 50;
/** What may wait for a slow reader, in characters. */
const waitingMost = 4 * 2 ** 20;
const newLine = 0x0a;

/**
 * Where pino's lines go: a file, pipe or terminal that is open. Where its disk is full, or nobody
 * reads it any more, lines are dropped and counted, and later ones tried: a station does not end,
 * nor wait at its end, for the sake of its log.
 */
export class LogOutput {
  /** Lines were dropped, and one could be written again since; how many. */
  onLost: (lines: number) => void = () => undefined;
  readonly #descriptor: number;
  readonly #clock: Clock;
  #waiting = '';
  #unwritten = Buffer.alloc(0);
  #isDue = false;
  #lostLines = 0;

  constructor(descriptor: number, clock: Clock) {
    this.#descriptor = descriptor;
    this.#clock = clock;
  }

  write(line: string): void {
    if (this.#waiting.length + line.length > waitingMost) this.#lostLines++;
    else this.#waiting += line;
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
      this.#isDue = false;
      if (error === null) this.#wrote(written);
      else if (error.code !== 'EAGAIN') this.#drop();
      if (this.#unwritten.length > 0 || this.#waiting !== '') this.#later();
    });
  }

  #wrote(bytes: number): void {
    this.#unwritten = this.#unwritten.subarray(bytes);
    const lines = this.#lostLines;
    this.#lostLines = 0;
    if (lines > 0) this.onLost(lines);
  }

  #drop(): void {
    this.#lostLines += this.#unwritten.filter((byte) => byte === newLine).length;
    this.#unwritten = Buffer.alloc(0);
  }
}
