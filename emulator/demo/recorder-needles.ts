/** What must not be seen; at least 16 bytes. */
export interface Needle {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** A run of this many bytes of a needle is a leak. */
export const windowBytes = 16;

interface Window {
  readonly needle: number;
  readonly bytes: Uint8Array;
}

const filterBits = 22;

/**
 * Every 16-byte window of many needles, found in one pass. The last four bytes of a window are its
 * hash: a bit filter turns away nearly all positions of a text, a map gives the few candidates.
 */
export class NeedleIndex {
  readonly #filter = new Uint32Array(2 ** (filterBits - 5));
  readonly #windows = new Map<number, Window[]>();

  /** Throws RangeError on a needle that is shorter than a window. */
  constructor(needles: readonly Needle[]) {
    for (const [number, { name, bytes }] of needles.entries()) {
      if (bytes.length < windowBytes)
        throw new RangeError(`${name}: ${bytes.length} bytes cannot be searched for`);
      for (let at = 0; at + windowBytes <= bytes.length; at++)
        this.#add(number, bytes.slice(at, at + windowBytes));
    }
  }

  /** Calls `found` with the needle's number and the offset of each window of it in `text`. */
  search(text: Uint8Array, found: (needle: number, offset: number) => void): void {
    const filter = this.#filter;
    let tail = 0;
    for (let end = 0; end < text.length; end++) {
      tail = (tail << 8) | (text[end] as number);
      const slot = slotOf(tail);
      if (((filter[slot >>> 5] as number) & (1 << (slot & 31))) === 0) continue;
      const start = end - windowBytes + 1;
      if (start < 0) continue;
      for (const window of this.#windows.get(tail) ?? []) {
        if (stands(window.bytes, text, start)) found(window.needle, start);
      }
    }
  }

  #add(needle: number, bytes: Uint8Array): void {
    let tail = 0;
    for (const byte of bytes) tail = (tail << 8) | byte;
    const slot = slotOf(tail);
    this.#filter[slot >>> 5] = (this.#filter[slot >>> 5] as number) | (1 << (slot & 31));
    const alike = this.#windows.get(tail) ?? [];
    this.#windows.set(tail, alike);
    const known = alike.some(
      (window) => window.needle === needle && stands(bytes, window.bytes, 0),
    );
    if (!known) alike.push({ needle, bytes });
  }
}

function slotOf(tail: number): number {
  return Math.imul(tail, 0x9e3779b1) >>> (32 - filterBits);
}

function stands(window: Uint8Array, text: Uint8Array, at: number): boolean {
  for (let i = 0; i < windowBytes; i++) if (window[i] !== text[at + i]) return false;
  return true;
}
