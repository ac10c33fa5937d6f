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
import { TlvError } from './tlv-error.ts';
import {
  badValue,
  hexTag,
  outOfBounds,
  readTlv,
  requireDistinct,
  TlvCursor,
  trailing,
  unexpectedTag,
  type Tlv,
} from './tlv-form.ts';
import {
  readValue,
  TlvWriter,
  valueInPlace,
  writePart,
  type Value,
  type ValueInPlace,
} from './tlv-in-place.ts';

export { encodeTlv, putTlvHead, readTlv, tlvHeadBytes, type Tlv } from './tlv-form.ts';
export { writePart, type TlvWriter, type Value } from './tlv-in-place.ts';
export {
  isUnnamed,
  nothing,
  octets,
  octetsInPlace,
  oneOf,
  oneOfGrowing,
  small,
  text,
  uint,
  type UnnamedWord,
} from './tlv-values.ts';

/** A value under its tag: what a struct or a list is made of, and what stands alone on a wire. */
export interface Element<T> {
  readonly tag: number;
  readonly optional: boolean;
  /** Tag, length and content. Throws TlvError for a value out of bounds. */
  encode(value: T): Uint8Array;
  /** The same as a part of something larger. */
  write?(value: T, to: TlvWriter): void;
  /** Keeps no `tlv`: where it comes from, the next may take its place. */
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
  write?(value: never, to: TlvWriter): void;
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
  const write = (content: T, to: TlvWriter): void => {
    to.element(tag, value, content);
  };
  return {
    tag,
    optional: false,
    encode: (content) => TlvWriter.encode(write, content),
    write,
    decodeTlv: (tlv) => readValue(value, tlv.bytes, tlv.contentStart, tlv.end),
  };
}

/** An element that a struct may leave out; the property is then absent. */
export function optional<T>(of: Element<T>): OptionalElement<T> {
  return {
    tag: of.tag,
    optional: true,
    encode: (content) => of.encode(content),
    write: (content, to) => {
      writePart(of, content, to);
    },
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
export function struct<const F extends Fields>(fields: F): ValueInPlace<StructOf<F>> {
  const entries = Object.entries<AnyElement>(fields);
  requireDistinct(entries.map(([, field]) => field.tag));
  const firstOptional = entries.findIndex(([, field]) => field.optional);
  const always = firstOptional < 0 ? entries : entries.slice(0, firstOptional);
  // Objects that begin as copies of one have its shape at once, not a new one with every field.
  const blank = Object.fromEntries(always.map(([name]) => [name, undefined]));
  return valueInPlace(
    (value, to) => {
      writeFields(entries, value, to);
    },
    (bytes, start, end) => readFields(entries, { ...blank }, bytes, start, end) as StructOf<F>,
  );
}

type Entries = readonly (readonly [string, AnyElement])[];

function writeFields(
  entries: Entries,
  given: Readonly<Record<string, unknown>>,
  to: TlvWriter,
): void {
  let underWay = '';
  try {
    for (const [name, field] of entries) {
      underWay = name;
      const content = given[name];
      if (content !== undefined) writePart(field, content as never, to);
      else if (!field.optional) throw badValue('missing');
    }
  } catch (error) {
    throw placed(error, underWay);
  }
}

function readFields(
  entries: Entries,
  found: Record<string, unknown>,
  bytes: Uint8Array,
  start: number,
  end: number,
): Record<string, unknown> {
  const at = new TlvCursor(bytes);
  let offset = start;
  let isNext = false;
  let underWay = '';
  try {
    for (const [name, field] of entries) {
      underWay = name;
      if (!isNext && offset < end) {
        at.moveTo(offset, end);
        isNext = true;
      }
      if (!isNext || at.tag !== field.tag) {
        if (field.optional) continue;
        if (!isNext) throw new TlvError('truncated', '', 'missing');
        throw unexpectedTag(at.tag, field.tag);
      }
      found[name] = field.decodeTlv(at);
      offset = at.end;
      isNext = false;
    }
  } catch (error) {
    throw placed(error, underWay);
  }
  if (offset !== end) throw trailing(end - offset);
  return found;
}

/** `least` to `most` elements of one kind, one behind the other. */
export function listOf<T>(
  item: Element<T>,
  least: number,
  most: number,
): ValueInPlace<readonly T[]> {
  const inBounds = (count: number): void => {
    if (count < least || count > most) {
      throw outOfBounds(`${count} items where ${least} to ${most} are allowed`);
    }
  };
  return valueInPlace(
    (items, to) => {
      inBounds(items.length);
      let underWay = 0;
      try {
        for (const value of items) {
          writePart(item, value, to);
          underWay++;
        }
      } catch (error) {
        throw placed(error, `[${underWay}]`);
      }
    },
    (bytes, start, end) => {
      const items: T[] = [];
      const at = new TlvCursor(bytes);
      for (let offset = start; offset < end; offset = at.end) {
        if (items.length === most) throw outOfBounds(`more than ${most} items`);
        try {
          at.moveTo(offset, end);
          if (at.tag !== item.tag) throw unexpectedTag(at.tag, item.tag);
          items.push(item.decodeTlv(at));
        } catch (error) {
          throw placed(error, `[${items.length}]`);
        }
      }
      inBounds(items.length);
      return items;
    },
  );
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
export function checked<T>(
  value: ValueInPlace<T>,
  objection: (value: T) => string | undefined,
): ValueInPlace<T> {
  const keeps = (found: T): T => {
    const detail = objection(found);
    if (detail !== undefined) throw badValue(detail);
    return found;
  };
  return {
    encode: (given) => value.encode(keeps(given)),
    decode: (content) => keeps(value.decode(content)),
    write: (given, to) => {
      value.write(keeps(given), to);
    },
    read: (bytes, start, end) => keeps(value.read(bytes, start, end)),
  };
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
