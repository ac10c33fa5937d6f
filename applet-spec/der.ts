/**
 * Strict reading of the DER values (ITU-T X.690) that X.509 is made of, on top of the TLV reader of
 * the specification. Everything throws TlvError for what a DER encoder does not write.
 */
import { bytesToUint, toLatin1 } from './bytes.ts';
import { readTlv, type Tlv } from './tlv.ts';
import { TlvError } from './tlv-error.ts';

export const derTags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  enumerated: 0x0a,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
} as const;

/** The elements of one constructed value, read in order and to the end. */
export class DerReader {
  readonly #bytes: Uint8Array;
  readonly #what: string;
  #offset = 0;

  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes;
    this.#what = what;
  }

  get atEnd(): boolean {
    return this.#offset === this.#bytes.length;
  }

  nextIs(tag: number): boolean {
    return this.#bytes[this.#offset] === tag;
  }

  /** The next element, of whatever tag. */
  any(): Tlv {
    const tlv = readTlv(this.#bytes, this.#offset);
    this.#offset = tlv.end;
    return tlv;
  }

  read(tag: number, what: string): Tlv {
    const tlv = this.any();
    if (tlv.tag === tag) return tlv;
    throw new TlvError('unexpected-tag', what, `tag ${tlv.tag.toString(16)} at its place`);
  }

  optional(tag: number, what: string): Tlv | undefined {
    return this.nextIs(tag) ? this.read(tag, what) : undefined;
  }

  sequence(what: string): DerReader {
    return new DerReader(this.read(derTags.sequence, what).content, what);
  }

  end(): void {
    if (this.atEnd) return;
    const rest = this.#bytes.length - this.#offset;
    throw new TlvError('trailing-bytes', this.#what, `${rest} bytes behind the last element`);
  }
}

/** The one element that `bytes` is. */
export function derWhole(bytes: Uint8Array, tag: number, what: string): Tlv {
  const reader = new DerReader(bytes, what);
  const tlv = reader.read(tag, what);
  reader.end();
  return tlv;
}

/** Big-endian magnitude of an INTEGER above zero, without a leading zero byte; X.690 §8.3.2. */
export function derPositive(content: Uint8Array, what: string): Uint8Array {
  const magnitude = derNatural(content, what);
  if (magnitude[0] === 0) throw bad(what, 'zero');
  return magnitude;
}

/** Big-endian magnitude of an INTEGER of zero or more; zero is one byte. */
export function derNatural(content: Uint8Array, what: string): Uint8Array {
  const [first, second] = content;
  if (first === undefined) throw bad(what, 'an INTEGER without content');
  if (first >= 0x80) throw bad(what, 'a negative INTEGER');
  if (first !== 0 || second === undefined) return content.slice();
  if (second < 0x80) throw bad(what, 'an INTEGER that is not in its shortest form');
  return content.slice(1);
}

/** X.690 §11.1: TRUE is FF and nothing else. */
export function derBoolean(content: Uint8Array, what: string): boolean {
  if (content.length === 1 && content[0] === 0xff) return true;
  if (content.length === 1 && content[0] === 0x00) return false;
  throw bad(what, 'a BOOLEAN that is neither 00 nor FF');
}

/** A BIT STRING of whole bytes. */
export function derBitBytes(content: Uint8Array, what: string): Uint8Array {
  if (content[0] !== 0) throw bad(what, 'a BIT STRING that is not of whole bytes');
  return content.slice(1);
}

/** The numbers of the bits set in a named-bit list: no trailing zero bits, X.690 §11.2.2. */
export function derNamedBits(content: Uint8Array, what: string): ReadonlySet<number> {
  const [unused, ...bytes] = content;
  const last = bytes.at(-1);
  if (unused === undefined || unused > 7) throw bad(what, 'a BIT STRING without its first byte');
  if (last === undefined ? unused !== 0 : last === 0 || trailingZeros(last) !== unused) {
    throw bad(what, 'a list of bits that is not in its shortest form');
  }
  const bits = new Set<number>();
  bytes.forEach((byte, i) => {
    for (let bit = 0; bit < 8; bit++) if ((byte & (0x80 >> bit)) !== 0) bits.add(8 * i + bit);
  });
  return bits;
}

/** Dotted decimal; arcs of any size, as UUIDs below 2.25 are. */
export function derOid(content: Uint8Array, what: string): string {
  const arcs: bigint[] = [];
  let arc = 0n;
  let started = false;
  for (const byte of content) {
    if (!started && byte === 0x80) throw bad(what, 'an OBJECT IDENTIFIER with a padded arc');
    arc = (arc << 7n) | BigInt(byte & 0x7f);
    started = byte >= 0x80;
    if (started) continue;
    arcs.push(arc);
    arc = 0n;
  }
  const [first, ...rest] = arcs;
  if (first === undefined || started)
    throw bad(what, 'an OBJECT IDENTIFIER that ends inside an arc');
  const root = first < 80n ? first / 40n : 2n;
  return [root, first - 40n * root, ...rest].join('.');
}

/**
 * Unix seconds of a Time as RFC 5280 §4.1.2.5 has it: UTCTime through 2049, GeneralizedTime from
 * 2050, both with seconds, in Z, without fractions.
 */
export function derTime(tlv: Tlv, what: string): bigint {
  const text = toLatin1(tlv.content.subarray(0, 16));
  const utc = tlv.tag === derTags.utcTime;
  if (!utc && tlv.tag !== derTags.generalizedTime) throw bad(what, 'no time');
  const match = (utc ? /^(\d\d)(\d{10})Z$/ : /^(\d{4})(\d{10})Z$/).exec(text);
  const [, yearText, rest] = match ?? [];
  if (yearText === undefined || rest === undefined || tlv.content.length !== text.length) {
    throw bad(what, 'a time that is not of the form YYMMDDHHMMSSZ or YYYYMMDDHHMMSSZ');
  }
  const year = utc ? Number(yearText) + (Number(yearText) < 50 ? 2000 : 1900) : Number(yearText);
  if (!utc && year < 2050) throw bad(what, 'a GeneralizedTime before 2050');
  const [month = 0, day = 0, hour = 0, minute = 0, second = 0] =
    rest.match(/\d\d/g)?.map(Number) ?? [];
  const inCalendar = day >= 1 && day <= daysOf(year, month);
  if (!inCalendar || hour > 23 || minute > 59 || second > 59) {
    throw bad(what, 'a date that is not in the calendar');
  }
  return BigInt(Date.UTC(year, month - 1, day, hour, minute, second) / 1000);
}

/** A number of at most 20 bytes (RFC 5280 §4.1.2.2, §5.2.3). */
export function shortMagnitude(magnitude: Uint8Array, what: string): Uint8Array {
  if (magnitude.length > 20) throw bad(what, 'more than 20 bytes');
  return magnitude;
}

export function derUint(content: Uint8Array, what: string): bigint {
  return bytesToUint(shortMagnitude(derNatural(content, what), what));
}

/** 0 for what is no month. */
function daysOf(year: number, month: number): number {
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  if (month === 2) return leap ? 29 : 28;
  if (month < 1 || month > 12) return 0;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

function trailingZeros(byte: number): number {
  return 31 - Math.clz32(byte & -byte);
}

function bad(what: string, detail: string): TlvError {
  return new TlvError('bad-value', what, detail);
}
