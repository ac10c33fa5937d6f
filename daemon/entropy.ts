import { randomFillSync } from 'node:crypto';
import type { Entropy } from '../applet-spec/primitives.ts';

/** A call of the generator costs as much as this many bytes of it. */
const drawnBytes = 4_096;
const drawnPieceMost = 64;
const drawn = new Uint8Array(drawnBytes);
let given = drawnBytes;

/**
 * The operating system's generator. Short pieces, of which a payment takes a dozen, are drawn many
 * at a time; each is given once, and wiped here as it is given.
 */
export const systemEntropy: Entropy = {
  randomBytes(length) {
    if (length > drawnPieceMost) return randomFillSync(new Uint8Array(length));
    if (given + length > drawnBytes) {
      randomFillSync(drawn);
      given = 0;
    }
    const piece = drawn.slice(given, given + length);
    drawn.fill(0, given, given + length);
    given += length;
    return piece;
  },
};
