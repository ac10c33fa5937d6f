import type { Reader, ReaderEvent } from './connection.ts';

/** Whether a card is in a reader, and who wants to know. Tells of changes only. */
export class CardPresence {
  #present = false;
  readonly #listeners = new Set<(event: ReaderEvent) => void>();

  get present(): boolean {
    return this.#present;
  }

  get watched(): boolean {
    return this.#listeners.size > 0;
  }

  watch(listener: (event: ReaderEvent) => void): () => void {
    // A wrapper of its own, so that the same function may watch twice.
    const entry = (event: ReaderEvent): void => {
      listener(event);
    };
    this.#listeners.add(entry);
    return () => {
      this.#listeners.delete(entry);
    };
  }

  set(present: boolean): void {
    if (present === this.#present) return;
    this.#present = present;
    this.tell({ kind: present ? 'card-inserted' : 'card-removed' });
  }

  tell(event: ReaderEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  clear(): void {
    this.#present = false;
    this.#listeners.clear();
  }
}

/**
 * Resolves at once where a card is in the reader, else when one comes; `cancel` gives up waiting.
 */
export function cardInserted(reader: Reader): { readonly come: Promise<void>; cancel(): void } {
  if (reader.cardPresent) return { come: Promise.resolve(), cancel: () => undefined };
  let cancel: () => void = () => undefined;
  const come = new Promise<void>((resolve) => {
    cancel = reader.watch((event) => {
      if (event.kind !== 'card-inserted') return;
      cancel();
      resolve();
    });
  });
  return { come, cancel };
}
