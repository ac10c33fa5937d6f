/** A storage whose card loses its power at a chosen write: torn transactions, on purpose. */
import { PowerLostError } from './card-error.ts';
import type { Storage } from './storage.ts';

/** `before` leaves the old state, `after` the new one; a transaction leaves nothing between. */
export interface PowerCut {
  /** The first write from now on is 1. */
  readonly write: number;
  readonly moment: 'before' | 'after';
}

export class CuttableStorage implements Storage {
  readonly #storage: Storage;
  #cut: PowerCut | undefined;
  #writes = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** How many transactions were committed so far. */
  get writes(): number {
    return this.#writes;
  }

  /** Counts from now on; undefined: no cut. */
  cutAt(cut: PowerCut | undefined): void {
    this.#cut = cut && { ...cut, write: cut.write + this.#writes };
  }

  load(): Uint8Array {
    return this.#storage.load();
  }

  commit(image: Uint8Array): void {
    const cut = this.#cut?.write === this.#writes + 1 ? this.#cut : undefined;
    if (cut !== undefined) this.#cut = undefined;
    if (cut?.moment === 'before') throw new PowerLostError();
    this.#storage.commit(image);
    this.#writes += 1;
    if (cut !== undefined) throw new PowerLostError();
  }
}
