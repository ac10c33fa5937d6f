/** Bytes as they came, in pieces of any number and size. */
export class Tape {
  readonly #pieces: Uint8Array[] = [];
  #length = 0;

  append(piece: Uint8Array): void {
    this.#pieces.push(piece);
    this.#length += piece.length;
  }

  /** What was recorded so far is gone. */
  erase(): void {
    this.#pieces.length = 0;
    this.#length = 0;
  }

  /** A copy of the whole. */
  read(): Uint8Array {
    const whole = new Uint8Array(this.#length);
    let offset = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, offset);
      offset += piece.length;
    }
    return whole;
  }
}
