import { statusWords } from '../../applet-spec/status-words.ts';
import { PowerLostError, StatusWordError } from './card-error.ts';
import { decodeCardState, encodeCardState, type CardState } from './card-state.ts';
import type { Storage } from './storage.ts';

/** The durable state and the only way to change it. */
export class CardMemory {
  readonly #storage: Storage;
  #state: CardState;

  /** Throws CardFileError, TlvError. */
  constructor(storage: Storage) {
    this.#storage = storage;
    this.#state = decodeCardState(storage.load());
  }

  get state(): CardState {
    return this.#state;
  }

  /**
   * One transaction: when it returns, the changes are durable. Throws PowerLostError, and
   * StatusWordError 6581 where the storage failed; the state is then whatever the storage holds.
   */
  commit(changes: Partial<CardState>): void {
    this.replace({ ...this.#state, ...changes });
  }

  /** As `commit`, for a state from which something is gone. */
  replace(next: CardState): void {
    try {
      this.#storage.commit(encodeCardState(next));
    } catch (error) {
      this.reload();
      if (error instanceof PowerLostError) throw error;
      throw new StatusWordError(statusWords['memory-failure']);
    }
    this.#state = next;
  }

  reload(): void {
    this.#state = decodeCardState(this.#storage.load());
  }
}
