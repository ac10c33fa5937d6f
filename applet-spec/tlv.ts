/**
 * BER-TLV in its DER form (ISO/IEC 8825-1 §10; ISO/IEC 7816-4 §5.2.2): definite and minimal lengths,
 * fixed order, no trailing bytes. One statement of an object gives its encoder, decoder, bounds and type:
 *
 *     const line = struct({ station: element(0x80, text(32)), fee: element(0x81, uint(8)) });
 *     type Line = Static<typeof line>;
 *
 * Decoders reject what encoders would not write, so each value has exactly one byte string.
 */
import { bytesToUint, concatBytes, fromUtf8, toUtf8, uintToBytes } from './bytes.ts';
import { TlvError } from './tlv-error.ts';

/** The content of an element, without tag and length. */
export interface Value<T> {
  encode(value: T): Uint8Array;
  decode(content: Uint8Array): T;
}

/** One TLV found in a byte string; `whole` and `content` are views on it. */
export interface Tlv {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly whole: Uint8Array;
}

/** A value under its tag: what a struct or a list is made of, and what stands alone on a wire. */
export interface Element<T> {
  readonly tag: number;
  readonly optional: boolean;
  /** Tag, length and content. Throws TlvError for a value out of bounds. */
  encode(value: T): Uint8Array;
  decodeTlv(tlv: Tlv): T;
}

export interface RequiredElement<T> extends Element<T> {
  readonly optional: false;
}

export interface OptionalElement<T> extends Element<T> {
  readonly optional: true;
}

interface AnyElement {
  readonly tag: number;
  readonly optional: boolean;
  encode(value: never): Uint8Array;
  decodeTlv(tlv: Tlv): unknown;
}

type Fields = Readonly<Record<string, AnyElement>>;
type Content<E extends AnyElement> = ReturnType<E['decodeTlv']>;
type Names<F extends Fields, Optional extends boolean> = {
  [K in keyof F]: F[K]['optional'] extends Optional ? K : never;
}[keyof F];

export type StructOf<F extends Fields> = {
  readonly [K in Names<F, false>]: Content<F[K]>;
} & { readonly [K in Names<F, true>]?: Content<F[K]> };

/** The TypeScript type of an element, struct or value. */
export type Static<C> = C extends { decodeTlv(tlv: Tlv): infer T }
  ? T
  : C extends { decode(content: Uint8Array): infer T }
    ? T
    : never;

export function element<T>(tag: number, value: Value<T>): RequiredElement<T> {
  return {
    tag,
    optional: false,
    encode: (content) => encodeTlv(tag, value.encode(content)),
    decodeTlv: (tlv) => value.decode(tlv.content),
  };
}

/** An element that a struct may leave out; the property is then absent. */
export function optional<T>(of: Element<T>): OptionalElement<T> {
  return {
    tag: of.tag,
    optional: true,
    encode: (content) => of.encode(content),
    decodeTlv: (tlv) => of.decodeTlv(tlv),
  };
}

/** One element and nothing behind it. Throws TlvError. */
export function decodeElement<T>(of: Element<T>, bytes: Uint8Array, name: string): T {
  try {
    const tlv = readTlv(bytes, 0);
    if (tlv.tag !== of.tag) throw unexpectedTag(tlv.tag, of.tag);
    if (tlv.whole.length !== bytes.length) throw trailing(bytes.length - tlv.whole.length);
    return of.decodeTlv(tlv);
  } catch (error) {
    throw error instanceof TlvError ? error.within(name) : error;
  }
}

/** Elements in the order of the statement; every one, but for the optional. */
export function struct<const F extends Fields>(fields: F): Value<StructOf<F>> {
  const entries = Object.entries<AnyElement>(fields);
  return {
    encode(value) {
      const parts: Uint8Array[] = [];
      const given: Readonly<Record<string, unknown>> = value;
      for (const [name, field] of entries) {
        const content = given[name];
        if (content === undefined && field.optional) continue;
        parts.push(at(name, () => field.encode(content as never)));
      }
      return concatBytes(...parts);
    },
    decode(content) {
      const found: Record<string, unknown> = {};
      let offset = 0;
      for (const [name, field] of entries) {
        const next = offset < content.length ? at(name, () => readTlv(content, offset)) : undefined;
        if (next?.tag !== field.tag) {
          if (field.optional) continue;
          throw next === undefined
            ? new TlvError('truncated', name, 'missing')
            : unexpectedTag(next.tag, field.tag).within(name);
        }
        found[name] = at(name, () => field.decodeTlv(next));
        offset += next.whole.length;
      }
      if (offset !== content.length) throw trailing(content.length - offset);
      return found as StructOf<F>;
    },
  };
}

/** `least` to `most` elements of one kind, one behind the other. */
export function listOf<T>(item: Element<T>, least: number, most: number): Value<readonly T[]> {
  const inBounds = (count: number): void => {
    if (count < least || count > most) {
      throw outOfBounds(`${count} items where ${least} to ${most} are allowed`);
    }
  };
  return {
    encode(items) {
      inBounds(items.length);
      return concatBytes(...items.map((value, i) => at(`[${i}]`, () => item.encode(value))));
    },
    decode(content) {
      const items: T[] = [];
      for (let offset = 0; offset < content.length;) {
        if (items.length === most) throw outOfBounds(`more than ${most} items`);
        const next = at(`[${items.length}]`, () => {
          const tlv = readTlv(content, offset);
          if (tlv.tag !== item.tag) throw unexpectedTag(tlv.tag, item.tag);
          items.push(item.decodeTlv(tlv));
          return tlv;
        });
        offset += next.whole.length;
      }
      inBounds(items.length);
      return items;
    },
  };
}

/** Exactly one of several elements, told apart by tag: the form of a message. */
export function choice<const F extends Fields>(kinds: F): ChoiceCodec<F> {
  const entries = Object.entries<AnyElement>(kinds);
  const byTag = new Map(entries.map(([kind, of]) => [of.tag, { kind, of }]));
  return {
    kinds,
    encode(message) {
      const of = kinds[message.kind];
      if (of === undefined) throw new TlvError('bad-value', String(message.kind), 'no such kind');
      return at(String(message.kind), () => of.encode(message.content as never));
    },
    decode(bytes) {
      const tlv = readTlv(bytes, 0);
      const found = byTag.get(tlv.tag);
      if (found === undefined) {
        throw new TlvError('unexpected-tag', hexTag(tlv.tag), 'no message has this tag');
      }
      if (tlv.whole.length !== bytes.length) throw trailing(bytes.length - tlv.whole.length);
      const content = at(found.kind, () => found.of.decodeTlv(tlv));
      return { kind: found.kind, content } as ChoiceOf<F>;
    },
  };
}

export type ChoiceOf<F extends Fields> = {
  [K in keyof F]: { readonly kind: K; readonly content: Content<F[K]> };
}[keyof F];

export interface ChoiceCodec<F extends Fields> extends Value<ChoiceOf<F>> {
  readonly kinds: F;
}

/** Unsigned, big-endian, as few bytes as it takes (zero is one byte); at most `maxBytes`. */
export function uint(maxBytes: number): Value<bigint> {
  return {
    encode(value) {
      if (value < 0n || value >= 1n << BigInt(8 * maxBytes)) {
        throw outOfBounds(`${value} does not fit ${maxBytes} unsigned bytes`);
      }
      return uintToBytes(value, Math.max(1, Math.ceil(value.toString(16).length / 2)));
    },
    decode(content) {
      if (content.length === 0 || content.length > maxBytes) {
        throw outOfBounds(`a number of ${content.length} bytes where 1 to ${maxBytes} are allowed`);
      }
      if (content.length > 1 && content[0] === 0) {
        throw new TlvError('non-minimal-length', 'number', 'leading zero byte');
      }
      return bytesToUint(content);
    },
  };
}

/** A small unsigned number, 0 to `most`. */
export function small(most: number): Value<number> {
  const wide = uint(4);
  const inBounds = (value: number): number => {
    if (!Number.isInteger(value) || value < 0 || value > most) {
      throw outOfBounds(`${value} where 0 to ${most} is allowed`);
    }
    return value;
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
  return { encode: inBounds, decode: (content) => inBounds(content).slice() };
}

/** UTF-8, 1 to `maxBytes` bytes, no control characters. */
export function text(maxBytes: number): Value<string> {
  const checked = (value: string): string => {
    // eslint-disable-next-line no-control-regex -- control characters are what is looked for
    if (/[\u0000-\u001f\u007f]/.test(value)) {
      throw new TlvError('bad-value', 'text', 'control character');
    }
    return value;
  };
  const bytes = octets(1, maxBytes);
  return {
    encode: (value) => bytes.encode(toUtf8(checked(value))),
    decode(content) {
      const copy = bytes.decode(content);
      try {
        return checked(fromUtf8(copy));
      } catch (error) {
        if (error instanceof TlvError) throw error;
        throw new TlvError('bad-value', 'text', 'not UTF-8', error);
      }
    },
  };
}

/** One byte that stands for one of a few words. */
export function oneOf<const C extends Readonly<Record<string, number>>>(codes: C): Value<keyof C> {
  const words = new Map(Object.entries(codes).map(([word, code]) => [code, word as keyof C]));
  return {
    encode: (word) => Uint8Array.of(codes[word] as number),
    decode(content) {
      const word = content.length === 1 ? words.get(content[0] as number) : undefined;
      if (word === undefined) throw new TlvError('bad-value', 'code', 'no word has this code');
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

export function encodeTlv(tag: number, content: Uint8Array): Uint8Array {
  return concatBytes(encodeTag(tag), encodeLength(content.length), content);
}

/** The TLV that starts at `offset`. Throws TlvError. */
export function readTlv(bytes: Uint8Array, offset: number): Tlv {
  const byte = (at: number): number => {
    const value = bytes[at];
    if (value === undefined) throw new TlvError('truncated', 'tlv', 'the bytes end inside it');
    return value;
  };
  let position = offset;
  let tag = byte(position++);
  if ((tag & 0x1f) === 0x1f) tag = (tag << 8) | byte(position++);
  let length = byte(position++);
  if (length > 0x80) {
    const count = length - 0x80;
    if (count > 3) throw outOfBounds('a length of more than three bytes');
    length = 0;
    for (let i = 0; i < count; i++) length = length * 256 + byte(position++);
    if (encodeLength(length).length !== count + 1) {
      throw new TlvError('non-minimal-length', 'tlv', 'length is not in its shortest form');
    }
  } else if (length === 0x80) {
    throw new TlvError('non-minimal-length', 'tlv', 'indefinite length');
  }
  if (position + length > bytes.length) {
    throw new TlvError('truncated', 'tlv', `${position + length - bytes.length} bytes are missing`);
  }
  return {
    tag,
    content: bytes.subarray(position, position + length),
    whole: bytes.subarray(offset, position + length),
  };
}

function encodeTag(tag: number): Uint8Array {
  return tag > 0xff ? Uint8Array.of(tag >> 8, tag & 0xff) : Uint8Array.of(tag);
}

function encodeLength(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  if (length <= 0xff) return Uint8Array.of(0x81, length);
  if (length <= 0xffff) return Uint8Array.of(0x82, length >> 8, length & 0xff);
  if (length > 0xffffff) throw outOfBounds('content of more than 16,777,215 bytes');
  return Uint8Array.of(0x83, length >> 16, (length >> 8) & 0xff, length & 0xff);
}

function at<T>(name: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof TlvError ? error.within(name) : error;
  }
}

function outOfBounds(detail: string): TlvError {
  return new TlvError('out-of-bounds', 'value', detail);
}

function trailing(count: number): TlvError {
  return new TlvError('trailing-bytes', 'value', `${count} bytes behind the last element`);
}

function unexpectedTag(found: number, expected: number): TlvError {
  return new TlvError('unexpected-tag', 'tag', `${hexTag(found)} instead of ${hexTag(expected)}`);
}

function hexTag(tag: number): string {
  return tag.toString(16).toUpperCase().padStart(2, '0');
}
