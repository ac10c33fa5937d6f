/**
 * Room on the disk of a station's database (failure 40). Before it ends nothing new is begun, so
 * that what was begun can come to its end: verdicts, receipts and settlement go on in what is set
 * apart for them.
 */
import { statfs } from 'node:fs/promises';
import type { Clock } from '../../applet-spec/clock.ts';

/** How often it looks; far less than what is set apart is written meanwhile. */
const everyMs = 5_000;

export interface DiskRoomOptions {
  readonly station: string;
  /** Set apart for what was begun; with 0 nothing is ever refused. */
  readonly reserveBytes: number;
  /** Of the file system that the database is on. */
  readonly freeBytes: () => Promise<number>;
  readonly clock: Clock;
  /** Told when room has run short, and when there is enough again. */
  readonly onChange: (isShort: boolean, freeBytes: number) => void;
  /** Told once as long as the room cannot be measured. */
  readonly onFault: (error: unknown) => void;
}

/** What the system lets this process still write to the file system of a folder. */
export async function freeBytesOf(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder);
  return bavail * bsize;
}

export class DiskRoom {
  readonly #options: DiskRoomOptions;
  #freeBytes: number | undefined;
  #isShort = false;
  #isBlind = false;
  #cancel: () => void = () => undefined;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: DiskRoomOptions) {
    this.#options = options;
  }

  /** Looks once, and then every five seconds. */
  async start(): Promise<void> {
    this.#looking = this.#look();
    await this.#looking;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#looking;
  }

  /** When it was last looked at; undefined where that could not be told. */
  get freeBytes(): number | undefined {
    return this.#freeBytes;
  }

  get reserveBytes(): number {
    return this.#options.reserveBytes;
  }

  /** Why nothing new is begun, in words for a user; undefined where there is room. */
  get refusal(): string | undefined {
    if (!this.#isShort) return undefined;
    const { station } = this.#options;
    return `The disk of ${station} is almost full; its operator has to make room.`;
  }

  async #look(): Promise<void> {
    const { freeBytes, reserveBytes, onChange, onFault, clock } = this.#options;
    try {
      const free = await freeBytes();
      const isShort = free < reserveBytes;
      if (isShort !== this.#isShort) onChange(isShort, free);
      this.#freeBytes = free;
      this.#isShort = isShort;
      this.#isBlind = false;
    } catch (error) {
      // What was seen last counts on: a disk that fails is known where it is written.
      if (!this.#isBlind) onFault(error);
      this.#freeBytes = undefined;
      this.#isBlind = true;
    }
    if (this.#closed) return;
    this.#cancel = clock.after(everyMs, () => {
      this.#looking = this.#look();
    });
  }
}
