import { createHash } from 'node:crypto';

/** Bytes without any pattern, the same for the same `seed`. */
export function noise(length: number, seed: string): Uint8Array {
  return new Uint8Array(createHash('shake128', { outputLength: length }).update(seed).digest());
}
