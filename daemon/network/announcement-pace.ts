import type { Clock } from '../../applet-spec/clock.ts';
import type { StationName } from '../../applet-spec/names.ts';

/** How many announcements of one station are taken in a row. */
const burst = 64;
/** How fast it earns further ones: no station of ours announces itself sooner again. */
const refillMs = 100;

/**
 * How often each station is listened to. Whatever it announces is verified, kept on disk and told
 * on by every station of the network, so that one alone could keep them all at work.
 */
export class AnnouncementPace {
  readonly #clock: Clock;
  readonly #buckets = new Map<StationName, { tokens: number; atMs: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  isTooFast(station: StationName): boolean {
    const bucket = this.#buckets.get(station);
    if (bucket === undefined) return false;
    const nowMs = this.#clock.nowMs();
    const earned = Math.floor(Math.max(0, nowMs - bucket.atMs) / refillMs);
    bucket.tokens = Math.min(burst, bucket.tokens + earned);
    bucket.atMs = nowMs < bucket.atMs ? nowMs : bucket.atMs + earned * refillMs;
    return bucket.tokens < 1;
  }

  /** One of its own announcements was taken; what others say in its name takes nothing from it. */
  taken(station: StationName): void {
    const bucket = this.#buckets.get(station) ?? { tokens: burst, atMs: this.#clock.nowMs() };
    bucket.tokens--;
    this.#buckets.set(station, bucket);
  }
}
