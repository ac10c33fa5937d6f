/** Parts of an object, read and written where they stand: no bytes of their own in between. */
import { copyBytes } from './bytes.ts';
import { putTlvHead, tlvHeadBytes } from './tlv-form.ts';

/** The content of an element, without tag and length. */
export interface Value<T> {
  encode(value: T): Uint8Array;
  decode(content: Uint8Array): T;
  /** `encode` of what is itself a part. */
  write?(value: T, to: TlvWriter): void;
  /** `decode` of the bytes from `start` to `end`. */
  read?(bytes: Uint8Array, start: number, end: number): T;
}

export type ValueInPlace<T> = Required<Value<T>>;

export function valueInPlace<T>(
  write: (value: T, to: TlvWriter) => void,
  read: (bytes: Uint8Array, start: number, end: number) => T,
): ValueInPlace<T> {
  return {
    encode: (value) => TlvWriter.encode(write, value),
    decode: (content) => read(content, 0, content.length),
    write,
    read,
  };
}

export function readValue<T>(of: Value<T>, bytes: Uint8Array, start: number, end: number): T {
  return of.read === undefined ? of.decode(bytes.subarray(start, end)) : of.read(bytes, start, end);
}

/** What an element or a value encodes. */
export function writePart<T>(
  of: { encode(value: T): Uint8Array; write?(value: T, to: TlvWriter): void },
  value: T,
  to: TlvWriter,
): void {
  if (of.write === undefined) to.bytes(of.encode(value));
  else of.write(value, to);
}

const roomAtFirst = 16_384;
/** Of one message with a full CRL, and then no longer. */
const roomKeptMost = 65_536;
/** Below it a loop is faster than `set` with the view that it asks for. */
const loopBytesMost = 32;

/**
 * An encoding under way. All share one array: an encoding inside another is a part behind it, cut
 * off again at its end. What was written is wiped, since it may have been a secret.
 */
export class TlvWriter {
  static readonly #shared = new TlvWriter();
  #room = new Uint8Array(roomAtFirst);
  #end = 0;

  static encode<T>(write: (value: T, to: TlvWriter) => void, value: T): Uint8Array {
    return TlvWriter.#shared.#encode(write, value);
  }

  #encode<T>(write: (value: T, to: TlvWriter) => void, value: T): Uint8Array {
    const start = this.#end;
    try {
      write(value, this);
      return copyBytes(this.#room, start, this.#end);
    } finally {
      this.#room.fill(0, start, this.#end);
      this.#end = start;
      if (start === 0 && this.#room.length > roomKeptMost) this.#room = new Uint8Array(roomAtFirst);
    }
  }

  byte(value: number): void {
    const at = this.#extend(1);
    this.#room[at] = value;
  }

  bytes(bytes: Uint8Array): void {
    const at = this.#extend(bytes.length);
    if (bytes.length > loopBytesMost) this.#room.set(bytes, at);
    else for (let i = 0; i < bytes.length; i++) this.#room[at + i] = bytes[i] as number;
  }

  /** Characters of one byte each. */
  ascii(text: string): void {
    const at = this.#extend(text.length);
    for (let i = 0; i < text.length; i++) this.#room[at + i] = text.charCodeAt(i);
  }

  /** Big-endian, as few bytes as it takes; a whole number that a double holds exactly. */
  number(value: number): void {
    let length = 1;
    for (let rest = value; rest >= 256; rest = Math.floor(rest / 256)) length++;
    let at = this.#extend(length) + length;
    for (let rest = value; length > 0; length--, rest = Math.floor(rest / 256)) {
      this.#room[--at] = rest % 256;
    }
  }

  /** A tag and what `of` writes, whose length is known only behind it. */
  element<T>(tag: number, of: Value<T>, value: T): void {
    // Most contents are short: their head has its place already, the others move.
    const headAtFirst = tlvHeadBytes(tag, 0);
    const at = this.#extend(headAtFirst);
    const contentAt = at + headAtFirst;
    writePart(of, value, this);
    const length = this.#end - contentAt;
    const more = tlvHeadBytes(tag, length) - headAtFirst;
    if (more > 0) {
      this.#extend(more);
      this.#room.copyWithin(contentAt + more, contentAt, contentAt + length);
    }
    putTlvHead(this.#room, at, tag, length);
  }

  /** Where the new room begins. */
  #extend(count: number): number {
    const at = this.#end;
    const needed = at + count;
    if (needed > this.#room.length) {
      const larger = new Uint8Array(Math.max(needed, 2 * this.#room.length));
      larger.set(this.#room);
      this.#room.fill(0);
      this.#room = larger;
    }
    this.#end = needed;
    return at;
  }
}
