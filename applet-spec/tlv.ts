/**
 * BER-TLV in its DER form (ISO/IEC 8825-1 §10; ISO/IEC 7816-4 §5.2.2): definite and minimal
 * lengths, fixed order, no trailing bytes. One statement of an object gives its encoder, decoder,
 * bounds and type:
 *
 *     const line = struct({ station: element(0x80, text(32)), fee: element(0x81, uint(8)) });
 *     type Line = Static<typeof line>;
 *
 * Decoders reject what encoders would not write, so each value has exactly one byte string.
 */
import { bytesToUint, concatBytes, fromUtf8, toUtf8, uintToBytes } from './bytes.ts';
import { TlvError } from './tlv-error.ts';
import {
  badValue,
  encodeTlv,
  hexTag,
  outOfBounds,
  readTlv,
  trailing,
  unexpectedTag,
  type Tlv,
} from './tlv-form.ts';

export { encodeTlv, putTlvHead, readTlv, tlvHeadBytes, type Tlv } from './tlv-form.ts';

/** The content of an element, without tag and length. */
export interface Value<T> {
  encode(value: T): Uint8Array;
  decode(content: Uint8Array): T;
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
    const tlv = readTlv(plain(bytes), 0);
    if (tlv.tag !== of.tag) throw unexpectedTag(tlv.tag, of.tag);
    if (tlv.end !== bytes.length) throw trailing(bytes.length - tlv.end);
    return of.decodeTlv(tlv);
  } catch (error) {
    throw placed(error, name);
  }
}

/** Elements in the order of the statement; every one, but for the optional. */
export function struct<const F extends Fields>(fields: F): Value<StructOf<F>> {
  const entries = Object.entries<AnyElement>(fields);
  requireDistinct(entries.map(([, field]) => field.tag));
  return {
    encode(value) {
      const parts: Uint8Array[] = [];
      const given: Readonly<Record<string, unknown>> = value;
      for (const [name, field] of entries) {
        const content = given[name];
        if (content === undefined) {
          if (field.optional) continue;
          throw new TlvError('bad-value', name, 'missing');
        }
        try {
          parts.push(field.encode(content as never));
        } catch (error) {
          throw placed(error, name);
        }
      }
      return concatBytes(...parts);
    },
    decode: (content) => decodeFields(entries, content) as StructOf<F>,
  };
}

function decodeFields(
  entries: readonly (readonly [string, AnyElement])[],
  content: Uint8Array,
): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  let offset = 0;
  let next: Tlv | undefined;
  for (const [name, field] of entries) {
    try {
      if (next === undefined && offset < content.length) next = readTlv(content, offset);
      if (next?.tag !== field.tag) {
        if (field.optional) continue;
        if (next === undefined) throw new TlvError('truncated', '', 'missing');
        throw unexpectedTag(next.tag, field.tag);
      }
      found[name] = field.decodeTlv(next);
    } catch (error) {
      throw placed(error, name);
    }
    offset = next.end;
    next = undefined;
  }
  if (offset !== content.length) throw trailing(content.length - offset);
  return found;
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
      const parts = items.map((value, i) => {
        try {
          return item.encode(value);
        } catch (error) {
          throw placed(error, `[${i}]`);
        }
      });
      return concatBytes(...parts);
    },
    decode(content) {
      const items: T[] = [];
      for (let offset = 0; offset < content.length;) {
        if (items.length === most) throw outOfBounds(`more than ${most} items`);
        try {
          const tlv = readTlv(content, offset);
          if (tlv.tag !== item.tag) throw unexpectedTag(tlv.tag, item.tag);
          items.push(item.decodeTlv(tlv));
          offset = tlv.end;
        } catch (error) {
          throw placed(error, `[${items.length}]`);
        }
      }
      inBounds(items.length);
      return items;
    },
  };
}

/** Exactly one of several elements, told apart by tag: the form of a message. */
export function choice<const F extends Fields>(kinds: F): ChoiceCodec<F> {
  const byName = new Map<PropertyKey, AnyElement>(Object.entries<AnyElement>(kinds));
  const byTag = new Map([...byName].map(([kind, of]) => [of.tag, { kind: String(kind), of }]));
  requireDistinct([...byName.values()].map((of) => of.tag));
  const decodeTlv = (tlv: Tlv): ChoiceOf<F> => {
    const found = byTag.get(tlv.tag);
    if (found === undefined) {
      throw new TlvError('unexpected-tag', '', `${hexTag(tlv.tag)} is the tag of no message`);
    }
    try {
      return { kind: found.kind, content: found.of.decodeTlv(tlv) } as ChoiceOf<F>;
    } catch (error) {
      throw placed(error, found.kind);
    }
  };
  return {
    kinds,
    encode({ kind, content }) {
      const of = byName.get(kind);
      if (of === undefined) throw new TlvError('bad-value', String(kind), 'no such kind');
      try {
        return of.encode(content as never);
      } catch (error) {
        throw placed(error, String(kind));
      }
    },
    decode(bytes) {
      const tlv = readTlv(plain(bytes), 0);
      const kind = byTag.get(tlv.tag)?.kind;
      if (kind !== undefined && tlv.end !== bytes.length) {
        throw placed(trailing(bytes.length - tlv.end), kind);
      }
      return decodeTlv(tlv);
    },
    decodeTlv,
  };
}

export type ChoiceOf<F extends Fields> = {
  [K in keyof F]: { readonly kind: K; readonly content: Content<F[K]> };
}[keyof F];

export interface ChoiceCodec<F extends Fields> extends Value<ChoiceOf<F>> {
  readonly kinds: F;
  /** The same, of one that is found already; what stands behind it is the caller's. */
  decodeTlv(tlv: Tlv): ChoiceOf<F>;
}

/** A value with a rule beyond its form; `objection` says in words what breaks it. */
export function checked<T>(value: Value<T>, objection: (value: T) => string | undefined): Value<T> {
  const keeps = (found: T): T => {
    const detail = objection(found);
    if (detail !== undefined) throw badValue(detail);
    return found;
  };
  return {
    encode: (given) => value.encode(keeps(given)),
    decode: (content) => keeps(value.decode(content)),
  };
}

/** Unsigned, big-endian, as few bytes as it takes (zero is one byte); at most `maxBytes`. */
export function uint(maxBytes: number): Value<bigint> {
  const beyond = 1n << BigInt(8 * maxBytes);
  return {
    encode(value) {
      if (value < 0n || value >= beyond) {
        throw outOfBounds(`${value} where 0 to ${beyond - 1n} is allowed`);
      }
      return uintToBytes(value, Math.max(1, Math.ceil(value.toString(16).length / 2)));
    },
    decode(content) {
      if (content.length === 0 || content.length > maxBytes) {
        throw outOfBounds(`${content.length} bytes where 1 to ${maxBytes} are allowed`);
      }
      if (content.length > 1 && content[0] === 0) {
        throw new TlvError('non-minimal-length', '', 'a number with a leading zero byte');
      }
      return readUint(content);
    },
  };
}

/** Up to six bytes are exact in a double, and twenty times faster so. */
function readUint(content: Uint8Array): bigint {
  if (content.length > 6) return bytesToUint(content);
  let value = 0;
  for (const byte of content) value = value * 256 + byte;
  return BigInt(value);
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
  return { encode: inBounds, decode: (content) => new Uint8Array(inBounds(content)) };
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
      if (copy.every(isPrintableAscii)) return String.fromCharCode(...copy);
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

/** With two fields of one tag, what an optional one left out would be another's. */
function requireDistinct(tags: readonly number[]): void {
  if (new Set(tags).size !== tags.length) throw new RangeError('a tag or a code stands twice');
}

/** The same bytes; a Buffer's views are slower, and its copies are views. */
function plain(bytes: Uint8Array): Uint8Array {
  return bytes.constructor === Uint8Array
    ? bytes
    : new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}

function placed(error: unknown, name: string): unknown {
  return error instanceof TlvError ? error.within(name) : error;
}
