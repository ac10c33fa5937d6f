import type { Entropy } from '../../applet-spec/primitives.ts';
import type { KeySource, KeySourceStatus, QkdKey } from '../../daemon/qkd/key-source.ts';
import { QkdError } from '../../daemon/qkd/qkd-error.ts';
import { systemEntropy } from '../../emulator/entropy.ts';
import { newKeyId } from '../../emulator/qkd/key-network.ts';

/**
 * A pair of QKD devices without wires between them: what one end draws, the other fetches by its
 * ID.
 */
export class MemoryDevicePair {
  readonly #bits: Entropy;
  readonly #ids: Entropy;
  readonly #laidOut = new Map<string, Uint8Array>();
  /** How many keys the devices still make; all that are asked for, unless it is set. */
  keysLeft = Number.POSITIVE_INFINITY;
  /** Whether the device has lost a key that is fetched. */
  forgets: () => boolean = () => false;
  /** How many keys were fetched by their IDs: used at both ends. */
  fetched = 0;

  constructor(bits: Entropy = systemEntropy, ids: Entropy = systemEntropy) {
    this.#bits = bits;
    this.#ids = ids;
  }

  /** For either station, as often as it is started. */
  end(): KeySource {
    return {
      status: () => Promise.resolve(status),
      draw: async (count, sizeBits) => this.#draw(count, sizeBits),
      fetch: async (ids) => ids.map((id) => this.#fetch(id)),
      close: () => Promise.resolve(),
    };
  }

  #draw(count: number, sizeBits: number): readonly QkdKey[] {
    const made = Math.min(count, this.keysLeft);
    if (made === 0) throw new QkdError('exhausted', 'the device has no keys');
    this.keysLeft -= made;
    return Array.from({ length: made }, () => {
      const id = newKeyId(this.#ids);
      const bits = this.#bits.randomBytes(sizeBits / 8);
      this.#laidOut.set(id, bits.slice());
      return { id, bits };
    });
  }

  #fetch(id: string): QkdKey {
    const bits = this.#laidOut.get(id);
    this.#laidOut.delete(id);
    if (bits === undefined || this.forgets()) {
      throw new QkdError('not-found', 'no such key', { keyIds: [id] });
    }
    this.fetched++;
    return { id, bits };
  }
}

const status: KeySourceStatus = {
  keySizeBits: 256,
  minKeySizeBits: 64,
  maxKeySizeBits: 4_096,
  maxKeysPerRequest: 128,
  storedKeys: undefined,
  maxStoredKeys: undefined,
  maxAdditionalSlaves: 0,
  sourceKmeId: undefined,
  targetKmeId: undefined,
  masterSaeId: undefined,
  slaveSaeId: undefined,
};
