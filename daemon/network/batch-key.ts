import { toLatin1 } from '../../applet-spec/bytes.ts';
import type { VerifyingKey } from '../../applet-spec/primitives.ts';

/** Several seconds' batches of one station. */
const rememberedMost = 256;

/**
 * A station's document key that remembers what it has verified: admissions and receipts are signed
 * a batch at a time (design §7), so up to 64 of them show the same root under the same signature.
 * Only good signatures are remembered, each with its whole message.
 */
export class BatchKey implements VerifyingKey {
  readonly publicKey: Uint8Array;
  readonly #verifyingKey: VerifyingKey;
  readonly #good = new Set<string>();

  constructor(verifyingKey: VerifyingKey) {
    this.publicKey = verifyingKey.publicKey;
    this.#verifyingKey = verifyingKey;
  }

  verify(message: Uint8Array, signature: Uint8Array): boolean {
    const name = `${signature.length} ${toLatin1(signature)}${toLatin1(message)}`;
    if (this.#good.has(name)) return true;
    if (!this.#verifyingKey.verify(message, signature)) return false;
    if (this.#good.size >= rememberedMost) {
      const oldest = this.#good.values().next();
      if (oldest.done !== true) this.#good.delete(oldest.value);
    }
    this.#good.add(name);
    return true;
  }
}
