/**
 * Transfers in the order of booking, read only as far as the payments beside them have been read.
 */
import type { BookStore, Transfer } from '../store/book-store.ts';

const pageRows = 2_000;

export class TransferStream {
  readonly #store: Pick<BookStore, 'transfers'>;
  readonly #take: (transfer: Transfer) => void;
  #waiting: readonly Transfer[] = [];
  #next = 0;
  #after = 0n;

  constructor(store: Pick<BookStore, 'transfers'>, take: (transfer: Transfer) => void) {
    this.#store = store;
    this.#take = take;
  }

  /** Those booked up to a time, in milliseconds since 1970. */
  async until(timeMs: number): Promise<void> {
    for (;;) {
      const transfer = await this.#peek();
      if (transfer === undefined || transfer.timeMs > timeMs) return;
      this.#next += 1;
      this.#take(transfer);
    }
  }

  async rest(): Promise<void> {
    await this.until(Number.POSITIVE_INFINITY);
  }

  async #peek(): Promise<Transfer | undefined> {
    if (this.#next >= this.#waiting.length) {
      this.#waiting = await this.#store.transfers(this.#after, pageRows);
      this.#next = 0;
      this.#after = this.#waiting.at(-1)?.number ?? this.#after;
    }
    return this.#waiting[this.#next];
  }
}
