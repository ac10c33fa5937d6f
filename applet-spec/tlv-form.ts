/** One TLV in its DER form: tag, length, content (ISO/IEC 7816-4 §5.2.2; ISO/IEC 8825-1 §10.1). */
import { freshBytes } from './bytes.ts';
import { TlvError } from './tlv-error.ts';

/**
 * One TLV found in a byte string; `content` and `whole` are views, made where they are asked for.
 */
export interface Tlv {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly whole: Uint8Array;
  /** Where it was found. */
  readonly bytes: Uint8Array;
  readonly contentStart: number;
  /** Where the content ends and the next one begins. */
  readonly end: number;
}

/**
 * Goes from one TLV to the next of a byte string, and is the one it has come to. A view costs more
 * than all else of an element, and numbers or texts are read without one.
 */
export class TlvCursor implements Tlv {
  readonly bytes: Uint8Array;
  tag = 0;
  #start = 0;
  contentStart = 0;
  end = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get content(): Uint8Array {
    return this.bytes.subarray(this.contentStart, this.end);
  }

  get whole(): Uint8Array {
    return this.bytes.subarray(this.#start, this.end);
  }

  /** To the TLV that starts at `offset` and ends at `limit` or before. Throws TlvError. */
  moveTo(offset: number, limit: number): void {
    const { bytes } = this;
    let position = offset;
    let tag = byteAt(bytes, position++, limit);
    if ((tag & 0x1f) === 0x1f) {
      const second = byteAt(bytes, position++, limit);
      // ISO/IEC 7816-4 §5.2.2.1: below 1F one byte serves; from 80 on a third one follows.
      if (second < 0x1f || second > 0x7f) {
        throw new TlvError('unexpected-tag', '', 'no tag of one or two bytes');
      }
      tag = (tag << 8) | second;
    }
    let length = byteAt(bytes, position++, limit);
    if (length >= 0x80) {
      const count = length - 0x80;
      length = readLongLength(bytes, position, count, limit);
      position += count;
    }
    const end = position + length;
    if (end > limit) {
      throw new TlvError('truncated', '', `${end - limit} bytes are missing`);
    }
    this.tag = tag;
    this.#start = offset;
    this.contentStart = position;
    this.end = end;
  }
}

export function encodeTlv(tag: number, content: Uint8Array): Uint8Array {
  const whole = freshBytes(tlvHeadBytes(tag, content.length) + content.length);
  whole.set(content, putTlvHead(whole, 0, tag, content.length));
  return whole;
}

/** How many bytes tag and length take. */
export function tlvHeadBytes(tag: number, length: number): number {
  return (tag > 0xff ? 2 : 1) + lengthBytes(length);
}

/**
 * Writes tag and length at `at` of `bytes` and returns where the content begins: for who puts a
 * large content there without a copy in between.
 */
export function putTlvHead(bytes: Uint8Array, at: number, tag: number, length: number): number {
  let offset = at;
  if (tag > 0xff) bytes[offset++] = tag >> 8;
  bytes[offset++] = tag;
  const more = lengthBytes(length) - 1;
  bytes[offset++] = more === 0 ? length : 0x80 + more;
  for (let shift = 8 * (more - 1); shift >= 0; shift -= 8) bytes[offset++] = length >> shift;
  return offset;
}

/** The TLV that starts at `offset`. Throws TlvError. */
export function readTlv(bytes: Uint8Array, offset: number): Tlv {
  const cursor = new TlvCursor(bytes);
  cursor.moveTo(offset, bytes.length);
  return cursor;
}

function readLongLength(bytes: Uint8Array, position: number, count: number, limit: number): number {
  if (count === 0) throw new TlvError('non-minimal-length', '', 'indefinite length');
  if (count > 3) throw outOfBounds('a length of more than three bytes');
  let length = 0;
  for (let i = 0; i < count; i++) length = length * 256 + byteAt(bytes, position + i, limit);
  if (lengthBytes(length) !== count + 1) {
    throw new TlvError('non-minimal-length', '', 'a length that is not in its shortest form');
  }
  return length;
}

function byteAt(bytes: Uint8Array, position: number, limit: number): number {
  const byte = bytes[position];
  if (byte === undefined || position >= limit) {
    throw new TlvError('truncated', '', 'the bytes end inside it');
  }
  return byte;
}

/** Bytes of a length in its shortest form. */
function lengthBytes(length: number): number {
  if (length < 0x80) return 1;
  if (length <= 0xff) return 2;
  if (length <= 0xffff) return 3;
  if (length > 0xffffff) throw outOfBounds('content of more than 16,777,215 bytes');
  return 4;
}

export function outOfBounds(detail: string): TlvError {
  return new TlvError('out-of-bounds', '', detail);
}

export function badValue(detail: string): TlvError {
  return new TlvError('bad-value', '', detail);
}

export function trailing(count: number): TlvError {
  return new TlvError('trailing-bytes', '', `${count} bytes behind the last element`);
}

export function unexpectedTag(found: number, expected: number): TlvError {
  return new TlvError('unexpected-tag', '', `${hexTag(found)} instead of ${hexTag(expected)}`);
}

export function hexTag(tag: number): string {
  return tag.toString(16).toUpperCase().padStart(2, '0');
}

/** With two fields of one tag, what an optional one left out would be another's. */
export function requireDistinct(tags: readonly number[]): void {
  if (new Set(tags).size !== tags.length) throw new RangeError('a tag or a code stands twice');
}
