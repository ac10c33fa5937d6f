/** How fast one core of this machine signs and verifies: what every ratio is held against. */
import { performance } from 'node:perf_hooks';
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';
import { systemEntropy } from '../../daemon/entropy.ts';

export interface SignatureSpeed {
  /** Synchronous native P-256 verifications with a cached key, each second. */
  readonly verifications: number;
  readonly signatures: number;
}

const messageBytes = 200;

export function measureSignatures(forMs: number): SignatureSpeed {
  const signing = opensslPrimitives.signingKey(scalar());
  const verifying = opensslPrimitives.verifyingKey(signing.publicKey);
  const message = systemEntropy.randomBytes(messageBytes);
  const signature = signing.sign(message);
  return {
    verifications: rateOf(forMs, () => {
      if (!verifying.verify(message, signature)) throw new Error('a good signature was refused');
    }),
    signatures: rateOf(forMs, () => {
      signing.sign(message);
    }),
  };
}

/** The larger of two measurements: the machine may have been busy during one of them. */
export function larger(a: SignatureSpeed, b: SignatureSpeed): SignatureSpeed {
  return {
    verifications: Math.max(a.verifications, b.verifications),
    signatures: Math.max(a.signatures, b.signatures),
  };
}

/** Below the order of P-256, whose first byte is FF. */
function scalar(): Uint8Array {
  const bytes = systemEntropy.randomBytes(32);
  bytes[0] = 0x55;
  return bytes;
}

function rateOf(forMs: number, run: () => void): number {
  for (let i = 0; i < 500; i++) run();
  const start = performance.now();
  let count = 0;
  for (;;) {
    for (let i = 0; i < 100; i++) run();
    count += 100;
    const elapsedMs = performance.now() - start;
    if (elapsedMs >= forMs) return (count * 1_000) / elapsedMs;
  }
}
