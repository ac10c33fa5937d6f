import type { Clock } from '../applet-spec/clock.ts';

const hourMs = 3_600_000;
/** Of names that have something out; the oldest is forgotten, and full again. */
const bucketsMost = 65_536;

interface Bucket {
  tokens: number;
  atMs: number;
}

/**
 * A bucket of tokens for each name: full at first, and filled again at so many an hour. One may be
 * overdrawn; then it is as much longer until there is a token again. In memory only, and only while
 * a bucket is not full.
 */
export class TokenBuckets {
  readonly perHour: number;
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(perHour: number, clock: Clock) {
    this.perHour = perHour;
    this.#clock = clock;
  }

  take(name: string): void {
    const bucket = this.#filled(name);
    if (bucket !== undefined) {
      bucket.tokens--;
      return;
    }
    if (this.#buckets.size >= bucketsMost) {
      const oldest = this.#buckets.keys().next();
      if (oldest.done !== true) this.#buckets.delete(oldest.value);
    }
    this.#buckets.set(name, { tokens: this.perHour - 1, atMs: this.#clock.nowMs() });
  }

  giveBack(name: string): void {
    const bucket = this.#filled(name);
    if (bucket === undefined) return;
    bucket.tokens++;
    if (bucket.tokens >= this.perHour) this.#buckets.delete(name);
  }

  /** When there is a token again; undefined where there is one now. */
  emptyUntilMs(name: string): number | undefined {
    const bucket = this.#filled(name);
    if (bucket === undefined || bucket.tokens >= 1) return undefined;
    return bucket.atMs + Math.ceil(((1 - bucket.tokens) * hourMs) / this.perHour);
  }

  /** Whose bucket is empty now, those that have waited longest first. */
  get empty(): readonly string[] {
    return [...this.#buckets.keys()].filter((name) => this.emptyUntilMs(name) !== undefined);
  }

  /** As it is now; undefined where it is full. */
  #filled(name: string): Bucket | undefined {
    const bucket = this.#buckets.get(name);
    if (bucket === undefined) return undefined;
    const nowMs = this.#clock.nowMs();
    bucket.tokens += (Math.max(0, nowMs - bucket.atMs) * this.perHour) / hourMs;
    bucket.atMs = nowMs;
    if (bucket.tokens < this.perHour) return bucket;
    this.#buckets.delete(name);
    return undefined;
  }
}
