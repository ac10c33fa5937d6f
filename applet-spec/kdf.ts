import { concatBytes, toUtf8 } from './bytes.ts';
import { AES_BLOCK_BYTES, requireLength } from './primitive-input.ts';
import type { Primitives } from './primitives.ts';

export const DERIVATION_KEY_BYTES = 32;
export const DERIVED_KEY_BYTES_MOST = 32;
export const DERIVATION_CONTEXT_BYTES_MOST = 255;
const labelBytesMost = 64;
const separator = Uint8Array.of(0);
const counterAtFirst = Uint8Array.of(1);
const none = new Uint8Array(0);

/** What a derived key is for. Two purposes that differ in any field give unrelated keys. */
export interface KeyPurpose {
  /**
   * The family of keys, e.g. `keytoll host link 1`. Printable ASCII without a colon, like the next
   * two.
   */
  readonly label: string;
  /** The single thing the key does, e.g. `traffic`. */
  readonly use: string;
  /** Who sends under it, where both ends send, e.g. `to-station`. */
  readonly direction?: string;
  /** Challenges, names, counters: fields of fixed length in a stated order, at most 255 bytes. */
  readonly context: Uint8Array;
}

/**
 * The one KDF (design §3): SP 800-108r1 §4.1, counter mode, PRF = AES-256-CMAC, one-byte counter
 * first.
 *
 *     block i = CMAC(key, [i] ‖ label ":" use (":" direction) ‖ 00 ‖ context ‖ [L])
 *     [i] one byte from 01, [L] the output's bits in two bytes
 *
 * `key` is exactly 32 bytes, the output 1 to 32. Throws RangeError for anything else: a caller's
 * defect.
 */
export function deriveKey(
  primitives: Primitives,
  key: Uint8Array,
  purpose: KeyPurpose,
  lengthBytes: number = DERIVED_KEY_BYTES_MOST,
): Uint8Array {
  requireLength(key, DERIVATION_KEY_BYTES, 'a derivation key');
  if (purpose.context.length > DERIVATION_CONTEXT_BYTES_MOST) {
    throw new RangeError(`a derivation context of ${purpose.context.length} bytes`);
  }
  const outputBits = Uint8Array.of((8 * lengthBytes) >> 8, 8 * lengthBytes);
  const fixedInput = concatBytes(purposeLabel(purpose), separator, purpose.context, outputBits);
  return counterModeKdf(primitives, key, none, fixedInput, lengthBytes);
}

/**
 * SP 800-108r1 counter mode with AES-CMAC over `before ‖ [i] ‖ after`, [i] one byte from 01. Its
 * two callers place the counter where their standards want it: `deriveKey` first, SCP03 in the
 * middle.
 */
export function counterModeKdf(
  primitives: Primitives,
  key: Uint8Array,
  before: Uint8Array,
  after: Uint8Array,
  lengthBytes: number,
): Uint8Array {
  if (!Number.isInteger(lengthBytes) || lengthBytes < 1 || lengthBytes > DERIVED_KEY_BYTES_MOST) {
    throw new RangeError(`a derived key has 1 to ${DERIVED_KEY_BYTES_MOST} bytes`);
  }
  const derived = new Uint8Array(Math.ceil(lengthBytes / AES_BLOCK_BYTES) * AES_BLOCK_BYTES);
  const input = concatBytes(before, counterAtFirst, after);
  for (let i = 1; (i - 1) * AES_BLOCK_BYTES < lengthBytes; i++) {
    input[before.length] = i;
    derived.set(primitives.aesCmac(key, input), (i - 1) * AES_BLOCK_BYTES);
  }
  // Most keys are whole blocks, and a slice would be one more copy of them.
  return lengthBytes === derived.length ? derived : derived.slice(0, lengthBytes);
}

/**
 * SP 800-108's Label. No part holds a colon or a zero byte, so the parts and the context stay
 * apart.
 */
function purposeLabel({ label, use, direction }: KeyPurpose): Uint8Array {
  const joined = direction === undefined ? `${label}:${use}` : `${label}:${use}:${direction}`;
  const known = purposeLabels.get(joined);
  if (known !== undefined) return known;
  const parts = direction === undefined ? [label, use] : [label, use, direction];
  for (const part of parts) {
    if (!/^[ -9;-~]+$/.test(part)) throw new RangeError(`bad purpose of a derived key: ${part}`);
  }
  const bytes = toUtf8(joined);
  if (bytes.length > labelBytesMost)
    throw new RangeError('the purpose of a derived key is too long');
  purposeLabels.set(joined, bytes);
  return bytes;
}

/** A program has a few dozen purposes, all of them constants. */
const purposeLabels = new Map<string, Uint8Array>();
