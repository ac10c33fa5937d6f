import type { Clock } from '../../applet-spec/clock.ts';

/** Failed hellos that one address may send at once, and how fast it earns further ones. */
const burst = 20;
const refillMs = 1_000;
/** Connections that have not shown yet that they know a link-authentication key. */
const strangersMost = 256;
/** Of these, as many from one address. */
const strangersOfAddress = 32;
const addressesMost = 1_024;

interface Bucket {
  inside: number;
  tokens: number;
  atMs: number;
  reportedMs: number;
}

const reportEveryMs = 60_000;

/** Strangers at the door: how many, how often, and how often they are worth a line in the log. */
export class HelloGate {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();
  #strangers = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** May this address speak? The place is given back with `left`. */
  enter(remote: string): boolean {
    const bucket = this.#bucket(remote);
    if (this.#strangers >= strangersMost || bucket.inside >= strangersOfAddress) return false;
    if (bucket.tokens < 1) return false;
    this.#strangers++;
    bucket.inside++;
    return true;
  }

  left(remote: string): void {
    this.#strangers--;
    this.#bucket(remote).inside--;
  }

  /** Its hello was worth nothing. True where that should be reported. */
  failed(remote: string): boolean {
    const bucket = this.#bucket(remote);
    bucket.tokens = Math.max(0, bucket.tokens - 1);
    const nowMs = this.#clock.nowMs();
    if (nowMs - bucket.reportedMs < reportEveryMs) return false;
    bucket.reportedMs = nowMs;
    return true;
  }

  #bucket(remote: string): Bucket {
    const nowMs = this.#clock.nowMs();
    const known = this.#buckets.get(remote);
    if (known !== undefined) {
      if (nowMs < known.atMs) {
        // The clock was set back: time counts from here.
        known.atMs = nowMs;
        known.reportedMs = Number.NEGATIVE_INFINITY;
      }
      const earned = Math.floor((nowMs - known.atMs) / refillMs);
      known.tokens = Math.min(burst, known.tokens + earned);
      known.atMs += earned * refillMs;
      return known;
    }
    if (this.#buckets.size >= addressesMost) {
      // Those that are inside now stay: at most as many as there are places.
      for (const [address, { inside }] of this.#buckets) {
        if (inside > 0) continue;
        this.#buckets.delete(address);
        break;
      }
    }
    const fresh = { inside: 0, tokens: burst, atMs: nowMs, reportedMs: Number.NEGATIVE_INFINITY };
    this.#buckets.set(remote, fresh);
    return fresh;
  }
}
