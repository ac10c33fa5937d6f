import type { Clock } from '../../applet-spec/clock.ts';

/** So many of our keys in a row that the peer could not fetch mean a device that drops keys. */
const missesMost = 3;
/** How long keys are drawn on demand before that is tried ahead again; each time doubles it. */
const firstWaitMs = 600_000;
const longestWaitMs = 86_400_000;

/**
 * Whether keys are drawn ahead of need. There are devices that drop keys drawn earlier once more
 * are drawn, and others that the peer's has later than ours; and any device may have been started
 * anew, without what it had.
 */
export class DrawMode {
  readonly #clock: Pick<Clock, 'nowMs'>;
  #isOnDemand = false;
  #missesInARow = 0;
  /** So many in a row, and keys are drawn in the other way. */
  #missesMost = missesMost;
  #sinceMs = 0;
  #waitMs = firstWaitMs;
  #nextWaitMs = firstWaitMs;

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock;
  }

  get isOnDemand(): boolean {
    return this.#isOnDemand;
  }

  /**
   * The peer could not fetch keys that we drew; true where they are drawn in the other way from now
   * on. It is tried both ways by turns, each for longer than before.
   */
  missed(): boolean {
    this.#missesInARow++;
    if (this.#missesInARow < this.#missesMost) return false;
    this.#missesInARow = 0;
    this.#missesMost *= 2;
    this.#isOnDemand = !this.#isOnDemand;
    if (this.#isOnDemand) {
      this.#sinceMs = this.#clock.nowMs();
      this.#waitMs = this.#nextWaitMs;
      this.#nextWaitMs = Math.min(longestWaitMs, 2 * this.#waitMs);
    }
    return true;
  }

  /**
   * The peer used keys that we drew; true where keys are drawn ahead again from now on: on demand
   * it has gone well for so long that the misses may have been those of a device started anew.
   */
  fetched(): boolean {
    this.#missesInARow = 0;
    this.#missesMost = missesMost;
    // Also where the clock was set back.
    const lastedMs = Math.abs(this.#clock.nowMs() - this.#sinceMs);
    if (!this.#isOnDemand || lastedMs < this.#waitMs) return false;
    this.#isOnDemand = false;
    return true;
  }
}
