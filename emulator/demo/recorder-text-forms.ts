import { windowBytes } from './recorder-needles.ts';

/** A stretch of text read back as the bytes that it may stand for. */
export interface Reading {
  readonly bytes: Uint8Array;
  /** Where in the text the byte at `at` of the reading begins. */
  readonly offsetOf: (at: number) => number;
}

const noDigit = 255;

function digits(...alphabets: readonly string[]): Uint8Array {
  const values = new Uint8Array(256).fill(noDigit);
  for (const alphabet of alphabets)
    for (let value = 0; value < alphabet.length; value++)
      values[alphabet.charCodeAt(value)] = value;
  return values;
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ';
const base64Start = `${letters}${letters.toLowerCase()}0123456789`;
const hexDigits = digits('0123456789abcdef', '0123456789ABCDEF');
/** RFC 4648 §4 and §5: one table reads both, and a mixture. */
const base64Digits = digits(`${base64Start}+/`, `${base64Start}-_`);

/**
 * Each run of hexadecimal digits, in either case, read from its first and from its second digit.
 */
export function* hexReadings(text: Uint8Array): Generator<Reading> {
  for (const [from, to] of runs(text, hexDigits, 2 * windowBytes)) {
    for (const phase of [0, 1]) {
      const start = from + phase;
      const bytes = new Uint8Array((to - start) >> 1);
      for (let i = 0, at = start; i < bytes.length; i++, at += 2)
        bytes[i] = (digit(hexDigits, text, at) << 4) | digit(hexDigits, text, at + 1);
      yield { bytes, offsetOf: (at) => start + 2 * at };
    }
  }
}

/**
 * Each run of base64 digits, read from each of its first four: what stands before an encoding may
 * look like a part of it. A reading holds a needle at whichever of the three alignments it has.
 */
export function* base64Readings(text: Uint8Array): Generator<Reading> {
  const shortest = Math.ceil((windowBytes * 8) / 6);
  for (const [from, to] of runs(text, base64Digits, shortest)) {
    for (const phase of [0, 1, 2, 3]) {
      const start = from + phase;
      const bytes = fromBase64(text.subarray(start, to));
      yield { bytes, offsetOf: (at) => start + Math.floor((at * 8) / 6) };
    }
  }
}

function fromBase64(run: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.floor((run.length * 6) / 8));
  for (let i = 0, at = 0; i < bytes.length; i += 3, at += 4) {
    const group =
      (digit(base64Digits, run, at) << 18) |
      (digit(base64Digits, run, at + 1) << 12) |
      (digit(base64Digits, run, at + 2) << 6) |
      digit(base64Digits, run, at + 3);
    // Writes beyond the end of a typed array are dropped: the last group may be incomplete.
    bytes[i] = group >>> 16;
    bytes[i + 1] = group >>> 8;
    bytes[i + 2] = group;
  }
  return bytes;
}

/** 0 beyond the end of the run, where only bits that are cut off depend on it. */
function digit(values: Uint8Array, text: Uint8Array, at: number): number {
  return at < text.length ? (values[text[at] as number] as number) : 0;
}

/** Maximal stretches [from, to) of digits, those of at least `shortest`. */
function* runs(
  text: Uint8Array,
  values: Uint8Array,
  shortest: number,
): Generator<readonly [number, number]> {
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    if (values[text[at] as number] !== noDigit) continue;
    if (at - from >= shortest) yield [from, at];
    from = at + 1;
  }
  if (text.length - from >= shortest) yield [from, text.length];
}
