/** Where a card's state outlives its power: one image, replaced whole. */
export interface Storage {
  /** The last committed image. Throws CardFileError where it cannot be read. */
  load(): Uint8Array;
  /** When it returns, `image` is durable; when it throws, the old image or the new one is. */
  commit(image: Uint8Array): void;
}

/** Keeps the image for as long as the process lives: for tests and the simulation. */
export class MemoryStorage implements Storage {
  #image: Uint8Array;

  constructor(image: Uint8Array) {
    this.#image = image.slice();
  }

  load(): Uint8Array {
    return this.#image.slice();
  }

  commit(image: Uint8Array): void {
    this.#image = image.slice();
  }
}
