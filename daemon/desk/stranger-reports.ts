import type { Clock } from '../../applet-spec/clock.ts';

const reportEveryMs = 60_000;
/** The one that was reported longest ago is forgotten first. */
const addressesMost = 1_024;

/**
 * How loud the log is about somebody whose card is not authenticated: once a minute for each
 * address, or anybody could fill the disk.
 */
export class StrangerReports {
  readonly #clock: Clock;
  readonly #reportedMs = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  level(remote: string): 'warn' | 'debug' {
    const nowMs = this.#clock.nowMs();
    const reportedMs = this.#reportedMs.get(remote) ?? Number.NEGATIVE_INFINITY;
    // Also where the clock was set back.
    if (Math.abs(nowMs - reportedMs) < reportEveryMs) return 'debug';
    this.#reportedMs.delete(remote);
    this.#reportedMs.set(remote, nowMs);
    const [oldest] = this.#reportedMs.keys();
    if (this.#reportedMs.size > addressesMost && oldest !== undefined) {
      this.#reportedMs.delete(oldest);
    }
    return 'warn';
  }
}
