/** What a station does by itself every minute: coins expire; quotes and prices are forgotten. */
import type { Clock } from '../../applet-spec/clock.ts';
import type { BookStore, CoinStore, NetworkStore } from '../store/store.ts';
import type { LogStanding } from '../witness/log-standing.ts';
import type { Log } from './log.ts';

const everyMs = 60_000;
/** In one call of a few milliseconds, so that a backlog never holds up payments. */
const atOnceMost = 250;
/** A quote is kept this long past its expiry: a payer may still ask what became of it. */
const quoteKeptSeconds = 86_400n;
/**
 * Bills name a price of their quote's own time (S23), and payments are taken for a day at most
 * after that: one that none has named within two was never asked for.
 */
const priceKeptSeconds = 2n * 86_400n;

export interface UpkeepParts {
  readonly store: CoinStore & BookStore & NetworkStore;
  readonly clock: Clock;
  readonly log: Log;
  readonly standing: Pick<LogStanding, 'rolledBack'>;
}

export class Upkeep {
  readonly #store: UpkeepParts['store'];
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #standing: UpkeepParts['standing'];
  readonly #onExpired: () => void;
  #cancel: () => void = () => undefined;
  #working: Promise<void> = Promise.resolve();
  #closed = false;

  constructor({ store, clock, log, standing }: UpkeepParts, onExpired: () => void) {
    this.#store = store;
    this.#clock = clock;
    this.#log = log;
    this.#standing = standing;
    this.#onExpired = onExpired;
  }

  start(): void {
    if (this.#closed) return;
    this.#cancel = this.#clock.after(everyMs, () => {
      this.#working = this.#once()
        .catch((error: unknown) => {
          this.#log.error({ err: error }, 'upkeep failed; it is tried again in a minute');
        })
        .finally(() => {
          this.start();
        });
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#cancel();
    await this.#working;
  }

  async #once(): Promise<void> {
    // A coin that looks unspent in books that were rolled back may have been spent since.
    if (this.#standing.rolledBack !== undefined) return;
    const nowSeconds = BigInt(Math.floor(this.#clock.nowMs() / 1000));
    const expired = await this.#byAndBy((most) => this.#store.expireCoins(nowSeconds, most));
    if (expired > 0) {
      this.#log.info({ expired }, 'coins expired; their value is back on account');
      this.#onExpired();
    }
    const before = nowSeconds - quoteKeptSeconds;
    await this.#byAndBy((most) => this.#store.dropQuotes(before, most));
    const unnamed = nowSeconds - priceKeptSeconds;
    await this.#byAndBy((most) => this.#store.dropOwnAnnouncements(unnamed, most));
  }

  /** All there are, however many come in a minute; how many there were. */
  async #byAndBy(some: (most: number) => Promise<number>): Promise<number> {
    let count = 0;
    for (;;) {
      const done = await some(atOnceMost);
      count += done;
      if (done < atOnceMost || this.#closed) return count;
    }
  }
}
