import type { Entropy, Primitives, SigningKey } from '../../applet-spec/primitives.ts';

const p256ScalarBytes = 32;

export interface DrawnKey {
  readonly privateKey: Uint8Array;
  readonly signingKey: SigningKey;
}

/** NIST SP 800-186: a scalar from 1 to n-1; anything else is drawn again. */
export function drawKey(primitives: Primitives, entropy: Entropy): DrawnKey {
  for (;;) {
    const privateKey = entropy.randomBytes(p256ScalarBytes);
    try {
      return { privateKey, signingKey: primitives.signingKey(privateKey) };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
}
