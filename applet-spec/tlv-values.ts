/** What stands inside an element: numbers, bytes, texts, words of a list, or nothing. */
import { bytesToUint, copyBytes, fromUtf8, toLatin1, toUtf8, uintToBytes } from './bytes.ts';
import { TlvError } from './tlv-error.ts';
import {
  badValue,
  hexTag,
  outOfBounds,
  requireDistinct,
  trailing,
  type Value,
} from './tlv-form.ts';

/** Unsigned, big-endian, as few bytes as it takes (zero is one byte); at most `maxBytes`. */
export function uint(maxBytes: number): Value<bigint> {
  const beyond = 1n << BigInt(8 * maxBytes);
  return {
    encode(value) {
      if (value < 0n || value >= beyond) {
        throw outOfBounds(`${value} where 0 to ${beyond - 1n} is allowed`);
      }
      let length = 1;
      while (length < maxBytes && value >> BigInt(8 * length) > 0n) length++;
      return uintToBytes(value, length);
    },
    decode(content) {
      if (content.length === 0 || content.length > maxBytes) {
        throw outOfBounds(`${content.length} bytes where 1 to ${maxBytes} are allowed`);
      }
      if (content.length > 1 && content[0] === 0) {
        throw new TlvError('non-minimal-length', '', 'a number with a leading zero byte');
      }
      return bytesToUint(content);
    },
  };
}

/** A small unsigned number, `least` to `most`. */
export function small(most: number, least = 0): Value<number> {
  const wide = uint(4);
  const inBounds = (value: number): number => {
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    const allowed = least === most ? `${most}` : `${least} to ${most}`;
    throw outOfBounds(`${value} where ${allowed} is allowed`);
  };
  return {
    encode: (value) => wide.encode(BigInt(inBounds(value))),
    decode: (content) => inBounds(Number(wide.decode(content))),
  };
}

/** `least` to `most` bytes; exactly `least` where `most` is left out. Decoded bytes are a copy. */
export function octets(least: number, most: number = least): Value<Uint8Array> {
  const inBounds = (bytes: Uint8Array): Uint8Array => {
    if (bytes.length < least || bytes.length > most) {
      const allowed = least === most ? `${least}` : `${least} to ${most}`;
      throw outOfBounds(`${bytes.length} bytes where ${allowed} are allowed`);
    }
    return bytes;
  };
  // A socket's and a database's bytes are Buffers, whose `slice` is a view on a pool that is
  // reused.
  return { encode: inBounds, decode: (content) => copyBytes(inBounds(content)) };
}

/** The same, and decoded bytes are a view: for who keeps what they were decoded from. */
export function octetsInPlace(least: number, most: number = least): Value<Uint8Array> {
  const copied = octets(least, most);
  const checkedOnly = (bytes: Uint8Array): Uint8Array => copied.encode(bytes);
  return { encode: checkedOnly, decode: checkedOnly };
}

/** UTF-8, 1 to `maxBytes` bytes, no control characters (Unicode category Cc). */
export function text(maxBytes: number): Value<string> {
  const bytes = octets(1, maxBytes);
  return {
    encode: (value) => bytes.encode(toUtf8(printable(value))),
    decode(content) {
      const copy = bytes.decode(content);
      if (copy.every(isPrintableAscii)) return toLatin1(copy);
      try {
        return printable(fromUtf8(copy));
      } catch (error) {
        if (error instanceof TlvError) throw error;
        throw new TlvError('bad-value', '', 'not UTF-8', error);
      }
    },
  };
}

/** What names and most messages are made of, without a decoder's start. */
function isPrintableAscii(byte: number): boolean {
  return byte >= 0x20 && byte < 0x7f;
}

/** A lone surrogate has no UTF-8: it would come back as another character. */
function printable(value: string): string {
  if (/\p{Cc}/u.test(value)) throw badValue('a control character');
  if (/\p{Cs}/u.test(value)) throw badValue('a lone surrogate');
  return value;
}

/** One byte that stands for one of a few words. */
export function oneOf<const C extends Readonly<Record<string, number>>>(codes: C): Value<keyof C> {
  const byWord = new Map<PropertyKey, number>(Object.entries(codes));
  const words = new Map(Object.entries(codes).map(([word, code]) => [code, word as keyof C]));
  requireDistinct([...byWord.values()]);
  return {
    encode(word) {
      const code = byWord.get(word);
      if (code === undefined) throw badValue(`"${String(word)}" has no code`);
      return Uint8Array.of(code);
    },
    decode(content) {
      const [code] = content;
      if (content.length !== 1 || code === undefined) {
        throw outOfBounds(`${content.length} bytes where 1 is allowed`);
      }
      const word = words.get(code);
      if (word === undefined) throw badValue(`${hexTag(code)} is the code of no word`);
      return word;
    },
  };
}

/** No content: the tag says it all. */
export const nothing: Value<Readonly<Record<string, never>>> = {
  encode: () => new Uint8Array(0),
  decode(content) {
    if (content.length > 0) throw trailing(content.length);
    return {};
  },
};
