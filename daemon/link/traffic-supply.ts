import type { Clock } from '../../applet-spec/clock.ts';
import { wipe } from '../../applet-spec/bytes.ts';
import type { Reservoir, TakenBits } from '../qkd/reservoir.ts';
import { LinkError } from './link-error.ts';

/**
 * The next traffic key of one direction, drawn before it is needed, so that a handshake never times
 * out for want of keys: the link waits for them before it dials. At most one key is held, whatever
 * the number of handshakes that fail.
 */
export class TrafficSupply {
  readonly #reservoir: Pick<Reservoir, 'take'>;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #onFault: (error: unknown) => void;
  #held: TakenBits | undefined;
  #taking: Promise<boolean> | undefined;

  constructor(options: {
    readonly reservoir: Pick<Reservoir, 'take'>;
    readonly clock: Clock;
    /** Fires when the links close. */
    readonly signal: AbortSignal;
    readonly onFault: (error: unknown) => void;
  }) {
    this.#reservoir = options.reservoir;
    this.#clock = options.clock;
    this.#signal = options.signal;
    this.#onFault = options.onFault;
  }

  /** Resolves once a key is here; false where none can be had. Waits as long as the device does. */
  ready(): Promise<boolean> {
    if (this.#held !== undefined) return Promise.resolve(true);
    this.#taking ??= this.#take().finally(() => {
      this.#taking = undefined;
    });
    return this.#taking;
  }

  /** The same, with little patience; drawing goes on. */
  async readyWithin(ms: number): Promise<boolean> {
    if (this.#held !== undefined) return true;
    return new Promise((resolve) => {
      const cancel = this.#clock.after(ms, () => {
        resolve(false);
      });
      void this.ready().then((isReady) => {
        cancel();
        resolve(isReady);
      });
    });
  }

  /**
   * The key; the caller's alone. A caller who gives up leaves it here for the next one.
   * @throws LinkError `no-keys` where none can be had, `aborted` on the signal.
   */
  async next(signal: AbortSignal): Promise<TakenBits> {
    while (this.#held === undefined) {
      if (!(await untilAborted(this.ready(), signal))) {
        throw new LinkError('no-keys', 'the QKD device gives no keys');
      }
    }
    if (signal.aborted) throw aborted();
    const held = this.#held;
    this.#held = undefined;
    return held;
  }

  close(): void {
    if (this.#held !== undefined) wipe(this.#held.bits);
    this.#held = undefined;
  }

  async #take(): Promise<boolean> {
    try {
      const wants = [{ purpose: 'traffic', bits: 256 }] as const;
      const [taken] = await this.#reservoir.take(wants, {
        signal: this.#signal,
        rank: 'link',
      });
      if (this.#signal.aborted && taken !== undefined) wipe(taken.bits);
      else this.#held = taken;
      return this.#held !== undefined;
    } catch (error) {
      if (!this.#signal.aborted) this.#onFault(error);
      return false;
    }
  }
}

function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(aborted());
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    promise.then(resolve, reject).finally(() => {
      signal.removeEventListener('abort', onAbort);
    });
  });
}

function aborted(): LinkError {
  return new LinkError('aborted', 'nobody waits for this traffic key any longer');
}
