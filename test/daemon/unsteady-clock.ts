import type { Clock } from '../../applet-spec/clock.ts';

/** A clock that is set while it runs: its time jumps, its alarms ring when they would have. */
export class UnsteadyClock implements Clock {
  readonly #steady: Clock;
  #aheadMs = 0;

  constructor(steady: Clock) {
    this.#steady = steady;
  }

  nowMs(): number {
    return this.#steady.nowMs() + this.#aheadMs;
  }

  after(ms: number, run: () => void): () => void {
    return this.#steady.after(ms, run);
  }

  /** Somebody sets it: forward, or back where `byMs` is below 0. */
  set(byMs: number): void {
    this.#aheadMs += byMs;
  }
}
