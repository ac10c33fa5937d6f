/** What stands inside an element: numbers, bytes, texts, words of a list, or nothing. */
import {
  bytesToNumber,
  bytesToUint,
  copyBytes,
  exactMost,
  fromUtf8,
  toLatin1,
  toUtf8,
  uintToBytes,
} from './bytes.ts';
import { TlvError } from './tlv-error.ts';
import { badValue, hexTag, outOfBounds, requireDistinct, trailing } from './tlv-form.ts';
import { valueInPlace, type TlvWriter, type ValueInPlace } from './tlv-in-place.ts';

/** Unsigned, big-endian, as few bytes as it takes (zero is one byte); at most `maxBytes`. */
export function uint(maxBytes: number): ValueInPlace<bigint> {
  const beyond = 1n << BigInt(8 * maxBytes);
  return valueInPlace(
    (value, to) => {
      if (value < 0n || value >= beyond) {
        throw outOfBounds(`${value} where 0 to ${beyond - 1n} is allowed`);
      }
      if (value <= exactMost) {
        to.number(Number(value));
        return;
      }
      let length = 7;
      while (length < maxBytes && value >> BigInt(8 * length) > 0n) length++;
      to.bytes(uintToBytes(value, length));
    },
    (bytes, start, end) => {
      requireShortest(bytes, start, end, maxBytes);
      return bytesToUint(bytes, start, end);
    },
  );
}

/** A small unsigned number, `least` to `most`. */
export function small(most: number, least = 0): ValueInPlace<number> {
  const inBounds = (value: number): number => {
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    const allowed = least === most ? `${most}` : `${least} to ${most}`;
    throw outOfBounds(`${value} where ${allowed} is allowed`);
  };
  return valueInPlace(
    (value, to) => {
      to.number(inBounds(value));
    },
    (bytes, start, end) => {
      requireShortest(bytes, start, end, 4);
      return inBounds(bytesToNumber(bytes, start, end));
    },
  );
}

function requireShortest(bytes: Uint8Array, start: number, end: number, most: number): void {
  if (start === end || end - start > most) {
    throw outOfBounds(`${end - start} bytes where 1 to ${most} are allowed`);
  }
  if (end - start > 1 && bytes[start] === 0) {
    throw new TlvError('non-minimal-length', '', 'a number with a leading zero byte');
  }
}

/** Byte strings, `least` to `most` long. Decoded bytes are copies. */
export function octets(least: number, most: number = least): ValueInPlace<Uint8Array> {
  const inBounds = bounds(least, most);
  return octetsRead(inBounds, (bytes, start, end) => {
    inBounds(end - start);
    return copyBytes(bytes, start, end);
  });
}

/** The same, and decoded bytes are a view: for who keeps what they were decoded from. */
export function octetsInPlace(least: number, most: number = least): ValueInPlace<Uint8Array> {
  const inBounds = bounds(least, most);
  return octetsRead(inBounds, (bytes, start, end) => {
    inBounds(end - start);
    return bytes.subarray(start, end);
  });
}

function octetsRead(
  inBounds: (length: number) => void,
  read: (bytes: Uint8Array, start: number, end: number) => Uint8Array,
): ValueInPlace<Uint8Array> {
  const write = (bytes: Uint8Array, to: TlvWriter): void => {
    inBounds(bytes.length);
    to.bytes(bytes);
  };
  const encode = (bytes: Uint8Array): Uint8Array => {
    inBounds(bytes.length);
    return bytes;
  };
  return { ...valueInPlace(write, read), encode };
}

function bounds(least: number, most: number): (length: number) => void {
  return (length) => {
    if (length >= least && length <= most) return;
    const allowed = least === most ? `${least}` : `${least} to ${most}`;
    throw outOfBounds(`${length} bytes where ${allowed} are allowed`);
  };
}

/** UTF-8, 1 to `maxBytes` bytes, no control characters (Unicode category Cc). */
export function text(maxBytes: number): ValueInPlace<string> {
  const inBounds = bounds(1, maxBytes);
  return valueInPlace(
    (value, to) => {
      if (isPlain(value)) {
        inBounds(value.length);
        to.ascii(value);
        return;
      }
      const bytes = toUtf8(printable(value));
      inBounds(bytes.length);
      to.bytes(bytes);
    },
    (bytes, start, end) => {
      inBounds(end - start);
      const content = bytes.subarray(start, end);
      if (content.every(isPrintableAscii)) return toLatin1(content);
      try {
        return printable(fromUtf8(content));
      } catch (error) {
        if (error instanceof TlvError) throw error;
        throw new TlvError('bad-value', '', 'not UTF-8', error);
      }
    },
  );
}

/** What names and most messages are made of, without a decoder's start. */
function isPrintableAscii(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f;
}

/** The same of a text, whose bytes are its characters then. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!isPrintableAscii(text.charCodeAt(i))) return false;
  return true;
}

/** A lone surrogate has no UTF-8: it would come back as another character. */
function printable(value: string): string {
  if (/\p{Cc}/u.test(value)) throw badValue('a control character');
  if (/\p{Cs}/u.test(value)) throw badValue('a lone surrogate');
  return value;
}

/** One byte that stands for one of a few words. */
export function oneOf<const C extends Readonly<Record<string, number>>>(
  codes: C,
): ValueInPlace<keyof C> {
  return wordOf(new Map(wordsOf(codes)));
}

/** How a code is read that the reader has no word for: in decimal, 1 to 255. */
export type UnnamedWord = `code-${number}`;

export function isUnnamed(word: string): word is UnnamedWord {
  return word.startsWith('code-');
}

/**
 * One byte that stands for a word of a list that grows: a further code comes from a newer program,
 * and is kept as it is. 0 stands for nothing.
 */
export function oneOfGrowing<const C extends Readonly<Record<string, number>>>(
  codes: C,
): ValueInPlace<keyof C | UnnamedWord> {
  const words = new Map<number, keyof C | UnnamedWord>();
  for (let code = 1; code <= 0xff; code++) words.set(code, `code-${code}`);
  for (const [code, word] of wordsOf(codes)) words.set(code, word);
  return wordOf(words);
}

function wordsOf<C extends Readonly<Record<string, number>>>(codes: C): [number, keyof C][] {
  requireDistinct(Object.values(codes));
  return Object.entries(codes).map(([word, code]) => [code, word]);
}

function wordOf<W extends PropertyKey>(words: ReadonlyMap<number, W>): ValueInPlace<W> {
  const byWord = new Map<PropertyKey, number>([...words].map(([code, word]) => [word, code]));
  return valueInPlace(
    (word, to) => {
      const code = byWord.get(word);
      if (code === undefined) throw badValue(`"${String(word)}" has no code`);
      to.byte(code);
    },
    (bytes, start, end) => {
      const code = bytes[start];
      if (end - start !== 1 || code === undefined) {
        throw outOfBounds(`${end - start} bytes where 1 is allowed`);
      }
      const word = words.get(code);
      if (word === undefined) throw badValue(`${hexTag(code)} is the code of no word`);
      return word;
    },
  );
}

/** No content: the tag says it all. */
export const nothing: ValueInPlace<Readonly<Record<string, never>>> = valueInPlace(
  () => undefined,
  (_bytes, start, end) => {
    if (end > start) throw trailing(end - start);
    return {};
  },
);
