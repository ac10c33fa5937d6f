import { createHash, randomBytes } from 'node:crypto';
import type { Entropy } from '../applet-spec/primitives.ts';

/** The machine's own generator. */
export const systemEntropy: Entropy = {
  randomBytes: (length) => Uint8Array.from(randomBytes(length)),
};

/**
 * Bytes that depend on `seed` alone, SHA-256 in counter mode: for runs that must repeat exactly.
 */
export function seededEntropy(seed: string): Entropy {
  let counter = 0;
  return {
    randomBytes(length) {
      const bytes = new Uint8Array(length);
      for (let offset = 0; offset < length; offset += 32) {
        const block = createHash('sha256')
          .update(`${seed}/${String(counter++)}`)
          .digest();
        bytes.set(block.subarray(0, length - offset), offset);
      }
      return bytes;
    },
  };
}
