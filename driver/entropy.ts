import { randomFillSync } from 'node:crypto';
import type { Entropy } from '../applet-spec/primitives.ts';

/** The system's random generator: host nonces and order IDs. */
export const systemEntropy: Entropy = {
  randomBytes: (length) => randomFillSync(new Uint8Array(length)),
};
