import type { Clock } from '../../applet-spec/clock.ts';

/** How long a device is asked for the few keys that it gave; each trial in vain doubles it. */
const firstPauseMs = 60_000;
const longestPauseMs = 3_600_000;

/**
 * How many keys a request may ask for where the device gave fewer than its status promises, which
 * burns them: for so many, until it is tried again whether that was a passing shortage.
 */
export class KeysPerRequest {
  readonly #clock: Clock;
  #most = Number.POSITIVE_INFINITY;
  #learntAtMs = 0;
  #pauseMs = firstPauseMs;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Infinity where the device is to be believed. */
  get most(): number {
    // Also where the clock was set back.
    const waitedMs = Math.abs(this.#clock.nowMs() - this.#learntAtMs);
    return waitedMs < this.#pauseMs ? this.#most : Number.POSITIVE_INFINITY;
  }

  /** What became of a request for `asked` keys. */
  learn(asked: number, given: number): void {
    const isTrial = asked > this.#most;
    if (given >= asked) {
      if (!isTrial) return;
      this.#most = Number.POSITIVE_INFINITY;
      this.#pauseMs = firstPauseMs;
      return;
    }
    if (isTrial) this.#pauseMs = Math.min(longestPauseMs, 2 * this.#pauseMs);
    this.#most = given;
    this.#learntAtMs = this.#clock.nowMs();
  }
}
