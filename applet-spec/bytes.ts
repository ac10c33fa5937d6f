/** Byte-string basics shared by every part: joining, comparing, and the two text forms. */

const slabBytes = 16_384;
const slabPieceMost = 2_048;
/** Engines keep arrays up to this length in their own heap, where they cost next to nothing. */
const inHeapMost = 64;
let slab = new ArrayBuffer(slabBytes);
let slabUsed = 0;

/**
 * Zeroed memory for a result that is soon forgotten: a piece of a slab, since an array with memory
 * of its own costs ten times as much. Never look at its `buffer`, which is others' too; what is
 * kept for hours is better a `slice`, which holds no slab.
 */
export function freshBytes(length: number): Uint8Array {
  if (length <= inHeapMost || length > slabPieceMost) return new Uint8Array(length);
  if (slabUsed + length > slabBytes) {
    slab = new ArrayBuffer(slabBytes);
    slabUsed = 0;
  }
  const piece = new Uint8Array(slab, slabUsed, length);
  // Whole words: copies are faster so.
  slabUsed += (length + 7) & ~7;
  return piece;
}

/** The same bytes, or those from `start` to `end`, in memory from `freshBytes`. */
export function copyBytes(bytes: Uint8Array, start = 0, end = bytes.length): Uint8Array {
  // Of a Buffer, `slice` is a view.
  if (end - start <= inHeapMost && bytes.constructor === Uint8Array) return bytes.slice(start, end);
  const copy = freshBytes(end - start);
  copy.set(bytes.subarray(start, end));
  return copy;
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const whole = freshBytes(length);
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

/** Equality that leaks nothing but the lengths; for MACs, cryptograms and key check values. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

/** One character a byte (ISO 8859-1): ASCII as text, and any bytes as the index of a map. */
export function toLatin1(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += codesMost) {
    const codes = codesOf(Math.min(bytes.length - start, codesMost));
    for (let i = 0; i < codes.length; i++) codes[i] = bytes[start + i] as number;
    text += textOf(codes);
  }
  return text;
}

const hexDigits = Uint8Array.from('0123456789abcdef', (digit) => digit.charCodeAt(0));

export function toHex(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += codesMost / 2) {
    const codes = codesOf(Math.min(2 * (bytes.length - start), codesMost));
    for (let i = 0; i < codes.length; i += 2) {
      const byte = bytes[start + i / 2] as number;
      codes[i] = hexDigits[byte >> 4] as number;
      codes[i + 1] = hexDigits[byte & 0x0f] as number;
    }
    text += textOf(codes);
  }
  return text;
}

/**
 * Character codes on their way into a text, an array for each length: a text of all at once leaves
 * no shorter ones behind, and an engine makes it several times faster of a plain array.
 */
const codeArrays: number[][] = [];
const codesMost = 128;

function codesOf(length: number): number[] {
  return (codeArrays[length] ??= new Array<number>(length).fill(0));
}

/** Wipes the codes, which may be a secret's. */
function textOf(codes: number[]): string {
  const text = String.fromCharCode(...codes);
  codes.fill(0);
  return text;
}

/** Throws RangeError unless `text` is an even number of hexadecimal digits. */
export function fromHex(text: string): Uint8Array {
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(text)) throw new RangeError('not hexadecimal bytes');
  const bytes = new Uint8Array(text.length / 2);
  for (let i = 0; i < bytes.length; i++)
    bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function toUtf8(text: string): Uint8Array {
  return utf8Encoder.encode(text);
}

/** Throws TypeError on bytes that are not UTF-8. */
export function fromUtf8(bytes: Uint8Array): string {
  return utf8Decoder.decode(bytes);
}

/** The bytes that `toLatin1` wrote as text. */
export function fromLatin1(text: string): Uint8Array {
  const bytes = freshBytes(text.length);
  for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Big-endian, `length` bytes; throws RangeError where the value does not fit. */
export function uintToBytes(value: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  if (value >= 0n && value <= exactMost) {
    let rest = Number(value);
    for (let i = length - 1; i >= 0 && rest > 0; i--) {
      bytes[i] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    if (rest === 0) return bytes;
  }
  if (value < 0n || value >= 1n << BigInt(8 * length)) {
    throw new RangeError(`${value} does not fit ${length} bytes`);
  }
  for (let i = length - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

/** Up to six bytes are exact in a double, and twenty times faster so. */
export const exactMost = 0xffff_ffff_ffffn;

/** Of all bytes, or of those from `start` to `end`. */
export function bytesToUint(bytes: Uint8Array, start = 0, end = bytes.length): bigint {
  let first = start;
  while (first < end && bytes[first] === 0) first++;
  if (end - first <= 6) return BigInt(bytesToNumber(bytes, first, end));
  let value = 0n;
  for (let i = first; i < end; i++) value = (value << 8n) | BigInt(bytes[i] as number);
  return value;
}

/** The same of six bytes at most. */
export function bytesToNumber(bytes: Uint8Array, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) value = value * 256 + (bytes[i] as number);
  return value;
}

/** Overwrites a secret that is no longer needed. */
export function wipe(bytes: Uint8Array): void {
  bytes.fill(0);
}
