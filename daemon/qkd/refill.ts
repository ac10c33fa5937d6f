import type { Clock } from '../../applet-spec/clock.ts';
import type { KeySource, KeySourceStatus, QkdKey } from './key-source.ts';
import { isEmptyAnswer, QkdError } from './qkd-error.ts';

export interface RefillOptions {
  readonly source: KeySource;
  readonly clock: Clock;
  /** The preferred size of a key, where the device allows it. */
  readonly keySizeBits: number;
  /** How often at most the device's status is read again, before a draw. */
  readonly statusEveryMs: number;
  /** How many bits the stock lacks now. */
  readonly missingBits: () => number;
  readonly onKeys: (keys: readonly QkdKey[]) => void;
  readonly onError: (error: QkdError) => void;
}

/** First and longest pause after a failure; each failure in a row doubles the pause. */
const pauses = {
  exhausted: { firstMs: 50, longestMs: 1_000 },
  other: { firstMs: 200, longestMs: 15_000 },
} as const;

/** Keys in a row that were known before mean a device that repeats itself. */
const repetitionsMost = 3;

/**
 * Draws keys while the stock lacks some: one request at a time, never beside a status request, for
 * there are devices that both calls together bring to a halt.
 */
export class Refill {
  readonly #options: RefillOptions;
  readonly #abort = new AbortController();
  #status: KeySourceStatus | undefined;
  #statusReadAtMs = Number.NEGATIVE_INFINITY;
  #error: QkdError | undefined;
  #failures = 0;
  #repetitions = 0;
  #running: Promise<void> | undefined;
  #asking: Promise<boolean> | undefined;
  #cancelPause: (() => void) | undefined;

  constructor(options: RefillOptions) {
    this.#options = options;
  }

  /** The failure of the last attempt; undefined after a success. */
  get error(): QkdError | undefined {
    return this.#error;
  }

  /** The size of the keys that are drawn: the preferred one, within what the device allows. */
  get sizeBits(): number {
    const { keySizeBits } = this.#options;
    if (this.#status === undefined) return keySizeBits;
    const size = Math.min(keySizeBits, this.#status.maxKeySizeBits);
    return 8 * Math.ceil(Math.max(size, this.#status.minKeySizeBits) / 8);
  }

  /** Starts drawing unless that is under way, or pausing after a failure. */
  wake(): void {
    if (this.#running !== undefined || this.#cancelPause !== undefined) return;
    if (this.#abort.signal.aborted || this.#options.missingBits() <= 0) return;
    this.#running = this.#run();
  }

  /**
   * Keys that were drawn have turned out new, or known before. A device that goes on repeating
   * itself is paused like one that fails: it would be asked without end.
   */
  judge(areNew: boolean): void {
    if (areNew) {
      if (this.#repetitions > 0) this.#succeed();
      this.#repetitions = 0;
    } else if (++this.#repetitions >= repetitionsMost) {
      this.#fail(new QkdError('protocol', 'the key manager gives keys that it gave before'));
    }
  }

  /** Whether the device answers when it is asked for its status, now. */
  answers(): Promise<boolean> {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  /** Ends when the request under way has ended. */
  async close(): Promise<void> {
    this.#abort.abort();
    this.#cancelPause?.();
    this.#cancelPause = undefined;
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      while (!this.#abort.signal.aborted && this.#options.missingBits() > 0) {
        if (this.#cancelPause !== undefined) break;
        await this.#readStatusWhenDue();
        const size = this.sizeBits;
        const count = Math.ceil(this.#options.missingBits() / size);
        if (count <= 0) break;
        const keys = await this.#options.source.draw(count, size, this.#abort.signal);
        if (this.#repetitions === 0) this.#succeed();
        this.#options.onKeys(keys);
      }
    } catch (error) {
      this.#fail(asQkdError(error));
    } finally {
      this.#running = undefined;
    }
    // What asked for more while the last request ended found `#running` still set.
    this.wake();
  }

  async #ask(): Promise<boolean> {
    while (this.#running !== undefined) await this.#running;
    const asked = this.#options.source.status(this.#abort.signal).then(
      () => true,
      () => false,
    );
    this.#running = asked.then(() => undefined);
    const answers = await asked;
    this.#running = undefined;
    this.wake();
    return answers;
  }

  #succeed(): void {
    this.#error = undefined;
    this.#failures = 0;
  }

  async #readStatusWhenDue(): Promise<void> {
    const { clock, source, statusEveryMs } = this.#options;
    if (clock.nowMs() - this.#statusReadAtMs < statusEveryMs) return;
    try {
      this.#status = await source.status(this.#abort.signal);
    } catch (error) {
      const problem = asQkdError(error);
      // A device that does not do status properly may well give keys.
      if (!isEmptyAnswer(problem)) throw problem;
      if (problem.code === 'unavailable') return;
    }
    this.#statusReadAtMs = clock.nowMs();
  }

  #fail(error: QkdError): void {
    if (this.#abort.signal.aborted) {
      if (error.lostBits > 0) this.#options.onError(error);
      return;
    }
    this.#error = error;
    if (error.code !== 'exhausted') this.#statusReadAtMs = Number.NEGATIVE_INFINITY;
    this.#options.onError(error);
    if (this.#cancelPause !== undefined) return;
    const { firstMs, longestMs } = error.code === 'exhausted' ? pauses.exhausted : pauses.other;
    const pauseMs = Math.min(longestMs, firstMs * 2 ** Math.min(this.#failures, 16));
    this.#failures++;
    this.#cancelPause = this.#options.clock.after(pauseMs, () => {
      this.#cancelPause = undefined;
      this.wake();
    });
  }
}

function asQkdError(error: unknown): QkdError {
  if (error instanceof QkdError) return error;
  return new QkdError('unavailable', 'the QKD device cannot be used', { cause: error });
}
