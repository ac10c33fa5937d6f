import { randomBytes } from 'node:crypto';
import type { Entropy } from '../applet-spec/primitives.ts';

/** The operating system's generator. */
export const systemEntropy: Entropy = {
  // No Buffer, whose `slice` would share memory.
  randomBytes(length) {
    const { buffer, byteOffset } = randomBytes(length);
    return new Uint8Array(buffer, byteOffset, length);
  },
};
