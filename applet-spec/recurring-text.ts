/**
 * Names come with every message: each is made a string and checked once, then known by its bytes.
 */
import { valueInPlace, type ValueInPlace } from './tlv-in-place.ts';

/**
 * The same value, which knows again what it read before: of all texts whose hash is one place, the
 * last. Anybody's may be there, so there are never more than `places`, a power of two.
 */
export function recurring<T extends string>(
  value: ValueInPlace<T>,
  places: number,
): ValueInPlace<T> {
  const known = new Array<T | undefined>(places).fill(undefined);
  return valueInPlace(
    (text, to) => {
      let hash = hashStart;
      for (let i = 0; i < text.length; i++) hash = hashed(hash, text.charCodeAt(i));
      if (known[placeOf(hash, places)] === text) to.ascii(text);
      else value.write(text, to);
    },
    (bytes, start, end) => {
      let hash = hashStart;
      for (let i = start; i < end; i++) hash = hashed(hash, bytes[i] as number);
      const place = placeOf(hash, places);
      const before = known[place];
      if (before !== undefined && isAsciiAt(before, bytes, start, end)) return before;
      const text = value.read(bytes, start, end);
      if (isAsciiAt(text, bytes, start, end)) known[place] = text;
      return text;
    },
  );
}

/** A text that is not ASCII has more bytes than characters, and so is at no place of any bytes. */
function isAsciiAt(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false;
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) !== bytes[start + i]) return false;
  }
  return true;
}

/** FNV-1a, of 32 bits: names differ in single characters. */
const hashStart = 0x811c9dc5;

function hashed(hash: number, byte: number): number {
  return Math.imul(hash ^ byte, 0x01000193);
}

function placeOf(hash: number, places: number): number {
  return (hash ^ (hash >>> 16)) & (places - 1);
}
