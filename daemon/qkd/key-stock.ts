import { equalBytes, wipe } from '../../applet-spec/bytes.ts';
import type { QkdKey } from './key-source.ts';

/** What became of all bits that were ever set apart: made = used + released + still set apart. */
export interface ReservationAccount {
  readonly made: bigint;
  readonly used: bigint;
  readonly released: bigint;
}

/** Bits set apart in a stock. */
export class StockReservation {
  #bits: number;
  readonly #settle: (how: 'used' | 'released', bits: number) => void;

  constructor(bits: number, settle: (how: 'used' | 'released', bits: number) => void) {
    this.#bits = bits;
    this.#settle = settle;
  }

  /** What is left of it. */
  get bits(): number {
    return this.#bits;
  }

  /** Its bits are leaving the stock: unlike `release`, this sets nothing free and tells nobody. */
  use(bits: number): void {
    const used = Math.min(bits, this.#bits);
    this.#bits -= used;
    this.#settle('used', used);
  }

  /** Gives the rest back; harmless when repeated. */
  release(): void {
    const rest = this.#bits;
    if (rest === 0) return;
    this.#bits = 0;
    this.#settle('released', rest);
  }

  /** Takes over what another one of the same stock has left. */
  absorb(other: StockReservation): void {
    if (other === this) return;
    this.#bits += other.#bits;
    other.#bits = 0;
  }
}

/** Keys drawn and not handed out yet, oldest first, and what of them is reserved. */
export class KeyStock {
  #keys: QkdKey[] = [];
  /** Where the oldest key is in `#keys`: those in front of it are gone. */
  #first = 0;
  readonly #ids = new Map<string, QkdKey>();
  readonly #reserved = { made: 0n, used: 0n, released: 0n };
  #reservedBits = 0;
  #bits = 0;

  get bits(): number {
    return this.#bits;
  }

  get reservedBits(): number {
    return this.#reservedBits;
  }

  get reservations(): ReservationAccount {
    return { ...this.#reserved };
  }

  get availableBits(): number {
    return Math.max(0, this.#bits - this.reservedBits);
  }

  /**
   * Takes keys in and returns how many bits were of no use: a key that is in stock already, and
   * both copies where they differ, for then nobody can tell which one the peer would get.
   */
  add(keys: readonly QkdKey[]): number {
    let uselessBits = 0;
    for (const key of keys) {
      const known = this.#ids.get(key.id);
      if (known === undefined) {
        this.#keys.push(key);
        this.#ids.set(key.id, key);
        this.#bits += bitsOf(key);
        continue;
      }
      uselessBits += bitsOf(key);
      if (!equalBytes(known.bits, key.bits)) {
        this.#remove(known);
        uselessBits += bitsOf(known);
        wipe(known.bits);
      }
      wipe(key.bits);
    }
    return uselessBits;
  }

  /**
   * The oldest keys that together have at least `bits` bits, no longer in stock; fewer where it
   * runs dry.
   */
  remove(bits: number): QkdKey[] {
    const removed: QkdKey[] = [];
    let removedBits = 0;
    while (removedBits < bits) {
      const key = this.#keys[this.#first];
      if (key === undefined) break;
      removedBits += bitsOf(key);
      this.#ids.delete(key.id);
      removed.push(key);
      this.#first++;
    }
    this.#bits -= removedBits;
    if (2 * this.#first > this.#keys.length) {
      this.#keys = this.#keys.slice(this.#first);
      this.#first = 0;
    }
    return removed;
  }

  /** How many bits `remove` would take to give each of `wants` (in bits) keys of its own. */
  costOf(wants: readonly number[]): number {
    let index = this.#first;
    let cost = 0;
    for (const want of wants) {
      let got = 0;
      while (got < want) {
        const key = this.#keys[index++];
        if (key === undefined) return Number.POSITIVE_INFINITY;
        got += bitsOf(key);
      }
      cost += got;
    }
    return cost;
  }

  reserve(bits: number, onRelease: () => void): StockReservation {
    this.#reservedBits += bits;
    this.#reserved.made += BigInt(bits);
    return new StockReservation(bits, (how, settled) => {
      this.#reservedBits -= settled;
      this.#reserved[how] += BigInt(settled);
      if (how === 'released') onRelease();
    });
  }

  /** Wipes everything and returns how many bits that were. */
  clear(): number {
    const bits = this.#bits;
    for (const key of this.#keys.slice(this.#first)) wipe(key.bits);
    this.#keys = [];
    this.#first = 0;
    this.#ids.clear();
    this.#bits = 0;
    return bits;
  }

  #remove(key: QkdKey): void {
    this.#keys = this.#keys.slice(this.#first).filter((other) => other !== key);
    this.#first = 0;
    this.#ids.delete(key.id);
    this.#bits -= bitsOf(key);
  }
}

export function bitsOf(key: QkdKey): number {
  return 8 * key.bits.length;
}

export function countBits(keys: readonly QkdKey[]): number {
  return keys.reduce((bits, key) => bits + bitsOf(key), 0);
}
