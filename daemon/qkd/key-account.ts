import type { KeyStock, ReservationAccount } from './key-stock.ts';

/**
 * Where every bit is that the device has handed out since the program started.
 * received = available + reserved + held + spent + lost, at every moment.
 */
export interface KeyBalance {
  /** Drawn and fetched, with what was burnt on the way. */
  readonly received: bigint;
  /** In stock, for anybody. */
  readonly available: bigint;
  /** So many of `available` payments leave for words and the link itself. */
  readonly kept: bigint;
  /** In stock, set apart for admitted payments. */
  readonly reserved: bigint;
  /** Neither in stock nor used yet: being recorded, or fetched for a claim that is not complete. */
  readonly held: bigint;
  /** Recorded and handed to their one use. */
  readonly spent: bigint;
  /** Burnt: lost answers, wrong lengths, key IDs known before, stock given up. */
  readonly lost: bigint;
  /** I22: what was ever set apart is used, released, or set apart still. */
  readonly reservations: ReservationAccount;
}

export class KeyAccount {
  #received = 0n;
  #held = 0n;
  #spent = 0n;
  #lost = 0n;

  /** Bits came into the stock. */
  receive(bits: number): void {
    this.#received += BigInt(bits);
  }

  /** Bits came that are in use already, or were burnt before they came. */
  receiveHeld(bits: number): void {
    this.receive(bits);
    this.hold(bits);
  }

  receiveLost(bits: number): void {
    this.receive(bits);
    this.loseStock(bits);
  }

  /** Stock → held. */
  hold(bits: number): void {
    this.#held += BigInt(bits);
  }

  /** Held → spent. */
  spend(bits: number): void {
    this.#held -= BigInt(bits);
    this.#spent += BigInt(bits);
  }

  /** Held → lost. */
  lose(bits: number): void {
    this.#held -= BigInt(bits);
    this.#lost += BigInt(bits);
  }

  /** Stock → lost. */
  loseStock(bits: number): void {
    this.#lost += BigInt(bits);
  }

  balance(
    stock: Pick<KeyStock, 'bits' | 'reservedBits' | 'reservations'>,
    keptBits = 0,
  ): KeyBalance {
    const stockBits = stock.bits;
    const reserved = Math.min(stockBits, stock.reservedBits);
    const available = stockBits - reserved;
    return {
      received: this.#received,
      available: BigInt(available),
      kept: BigInt(Math.min(available, keptBits)),
      reserved: BigInt(reserved),
      held: this.#held,
      spent: this.#spent,
      lost: this.#lost,
      reservations: stock.reservations,
    };
  }
}
