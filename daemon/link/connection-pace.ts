import type { Clock } from '../../applet-spec/clock.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { TokenBuckets } from '../token-buckets.ts';
import { certificateRefused } from './handshake-talk.ts';
import { linkLimits, linkTimes } from './link-limits.ts';

/**
 * How soon a neighbour is dialled again, and how often it is answered: every connection takes two
 * QKD keys, also of one that ends it each time, or is started again and again.
 */
export class ConnectionPace {
  readonly #peer: StationName;
  readonly #clock: Clock;
  readonly #entropy: Entropy;
  readonly #answers: TokenBuckets;
  /** Attempts since a connection was last steady. */
  #attempts = 0;
  /** Set while a peer whose certificate was refused is given time to get another. */
  #cancelDistrust: (() => void) | undefined;

  constructor(
    peer: StationName,
    { clock, entropy }: { readonly clock: Clock; readonly entropy: Entropy },
  ) {
    this.#peer = peer;
    this.#clock = clock;
    this.#entropy = entropy;
    this.#answers = new TokenBuckets(linkLimits.answersPerHour, clock);
  }

  /** Why the neighbour is not answered now, in words for it; undefined where it is. */
  objection(): string | undefined {
    if (this.#cancelDistrust !== undefined) return certificateRefused(this.#peer);
    if (this.#answers.emptyUntilMs(this.#peer) === undefined) return undefined;
    return `${this.#peer} connects too often, and each time takes two QKD keys`;
  }

  /** The neighbour has connected, and keys are taken for it. */
  answered(): void {
    this.#answers.take(this.#peer);
  }

  /** Before the next attempt to dial. */
  nextPauseMs(): number {
    const { firstPauseMs, longestPauseMs, distrustMs } = linkTimes;
    const doubledMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(this.#attempts, 16));
    const [jitter = 0] = this.#entropy.randomBytes(1);
    this.#attempts++;
    return (this.distrusts ? distrustMs : doubledMs) * (1 + jitter / 512);
  }

  /** A link that came up has ended. */
  lasted(ms: number): void {
    if (ms >= linkTimes.steadyMs) this.#attempts = 0;
  }

  get distrusts(): boolean {
    return this.#cancelDistrust !== undefined;
  }

  /** Its certificate was refused in a handshake. */
  distrust(): void {
    this.#cancelDistrust?.();
    this.#cancelDistrust = this.#clock.after(linkTimes.distrustMs, () => {
      this.#cancelDistrust = undefined;
    });
  }

  close(): void {
    this.#cancelDistrust?.();
  }
}
