import { wipe } from '../../applet-spec/bytes.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { Reservoir } from '../qkd/reservoir.ts';
import { trafficKey, type FrameSealer, type LinkDirection } from './frame-cipher.ts';
import { LinkError } from './link-error.ts';
import { linkLimits, rekeyAhead } from './link-limits.ts';
import type { TrafficSupply } from './traffic-supply.ts';

/** How long one traffic key may seal. */
export interface RekeyLimits {
  readonly rekeyRecords: number;
  readonly rekeyBytes: number;
  readonly rekeySeconds: number;
}

export interface KeyLifeOptions extends RekeyLimits {
  readonly sealer: FrameSealer;
  readonly supply: TrafficSupply;
  readonly reservoir: Pick<Reservoir, 'reportMissed' | 'reportFetched'>;
  readonly primitives: Primitives;
  readonly clock: Clock;
  /** Fires when the connection is over. */
  readonly signal: AbortSignal;
  readonly greeting: Uint8Array;
  readonly direction: LinkDirection;
  readonly announce: (epoch: number, keyIds: readonly string[]) => void;
  /** A fresh key seals from now on. */
  readonly renewed: () => void;
  readonly fault: (error: unknown) => void;
}

/**
 * The life of our traffic key: when four fifths of it are over, by count, bytes or time, a fresh
 * QKD key is named to the peer, and used once the peer has it. At its end, traffic waits for that:
 * the old key is never stretched. Each direction has a life of its own, so the two ends never race.
 */
export class KeyLife {
  readonly #options: KeyLifeOptions;
  #records = 0;
  #bytes = 0;
  #sinceMs: number;
  /** Its time is over by a timer: also where the clock was set back. */
  #isTimedOut = false;
  #lastEpoch: number;
  #next: { readonly epoch: number; readonly trafficKey: Uint8Array } | undefined;
  #renewing = false;
  #failures = 0;
  #cancelTimers: () => void;
  #stalledSinceMs: number | undefined;

  constructor(options: KeyLifeOptions) {
    this.#options = options;
    this.#sinceMs = options.clock.nowMs();
    this.#lastEpoch = options.sealer.epoch;
    this.#cancelTimers = this.#setTimers();
  }

  /** Rows and told messages that the key may still seal; at 0 they wait. */
  get trafficLeft(): number {
    const { rekeyRecords, rekeyBytes, rekeySeconds, clock } = this.#options;
    // By the clock, too: no timer counts while the machine sleeps.
    const isAged = this.#isTimedOut || clock.nowMs() - this.#sinceMs >= 1000 * rekeySeconds;
    return isAged || this.#bytes >= rekeyBytes ? 0 : Math.max(0, rekeyRecords - this.#records);
  }

  /** Since when traffic waits for a fresh key; undefined where it does not. */
  get stalledSinceMs(): number | undefined {
    return this.#stalledSinceMs;
  }

  /** A frame was sealed. */
  spent(records: number, bytes: number): void {
    const { rekeyRecords, rekeyBytes } = this.#options;
    this.#records += records;
    this.#bytes += bytes;
    if (
      this.#records >= rekeyAhead * rekeyRecords ||
      this.#bytes >= rekeyAhead * rekeyBytes ||
      this.trafficLeft === 0
    ) {
      this.#renew();
    }
  }

  /** There is traffic, and the key may not seal it. */
  stalled(): void {
    this.#stalledSinceMs ??= this.#options.clock.nowMs();
    this.#renew();
  }

  /** The peer has the key of this epoch. Throws LinkError where nobody named one. */
  rekeyed(epoch: number): void {
    const { sealer, reservoir, clock, renewed } = this.#options;
    const next = this.#named(epoch);
    this.#next = undefined;
    this.#renewing = false;
    this.#failures = 0;
    sealer.rekey(epoch, next.trafficKey);
    this.#records = 0;
    this.#bytes = 0;
    this.#sinceMs = clock.nowMs();
    this.#isTimedOut = false;
    this.#stalledSinceMs = undefined;
    this.#cancelTimers();
    this.#cancelTimers = this.#setTimers();
    reservoir.reportFetched();
    renewed();
  }

  /** The peer cannot have it. Throws LinkError where nobody named it, or after too many. */
  rekeyFailed(epoch: number): void {
    wipe(this.#named(epoch).trafficKey);
    this.#next = undefined;
    this.#renewing = false;
    this.#options.reservoir.reportMissed();
    this.#failures++;
    if (this.#failures >= linkLimits.rekeyFailures) {
      throw new LinkError('key-not-usable', 'the peer cannot fetch our QKD keys');
    }
    this.#renew();
  }

  close(): void {
    this.#cancelTimers();
    if (this.#next !== undefined) wipe(this.#next.trafficKey);
    this.#next = undefined;
  }

  #renew(): void {
    if (this.#renewing) return;
    this.#renewing = true;
    this.#nameNext().catch((error: unknown) => {
      this.#renewing = false;
      if (!this.#options.signal.aborted) this.#options.fault(error);
    });
  }

  async #nameNext(): Promise<void> {
    const { supply, signal, primitives, greeting, direction, announce } = this.#options;
    const taken = await supply.next(signal);
    const epoch = ++this.#lastEpoch;
    const bound = { greeting, direction, epoch };
    this.#next = { epoch, trafficKey: trafficKey(primitives, taken.bits, bound) };
    announce(epoch, taken.keyIds);
  }

  #named(epoch: number): { readonly trafficKey: Uint8Array } {
    if (this.#next?.epoch === epoch) return this.#next;
    throw new LinkError('peer-out-of-bounds', 'the peer speaks of a traffic key that nobody named');
  }

  #setTimers(): () => void {
    const { clock, rekeySeconds } = this.#options;
    const cancelRenewal = clock.after(1000 * rekeyAhead * rekeySeconds, () => {
      this.#renew();
    });
    const cancelEnd = clock.after(1000 * rekeySeconds, () => {
      this.#isTimedOut = true;
    });
    return () => {
      cancelRenewal();
      cancelEnd();
    };
  }
}
