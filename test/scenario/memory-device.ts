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
  /** The same of one end, by its station: what only that one draws may run dry. */
  readonly leftAt = new Map<string, number>();
  /** Whether the device has lost a key that is fetched. */
  forgets: () => boolean = () => false;
  /** How many keys were fetched by their IDs: used at both ends. */
  fetched = 0;

  constructor(bits: Entropy = systemEntropy, ids: Entropy = systemEntropy) {
    this.#bits = bits;
    this.#ids = ids;
  }

  /** For either station, as often as it is started. */
  end(station: string): KeySource {
    return {
      status: () => Promise.resolve(status),
      draw: async (count, sizeBits) => this.#draw(station, count, sizeBits),
      fetch: async (ids) => ids.map((id) => this.#fetch(id)),
      close: () => Promise.resolve(),
    };
  }

  /** Both are started anew, without the keys that nobody has fetched. */
  loseKeys(): void {
    this.#laidOut.clear();
  }

  #draw(station: string, count: number, sizeBits: number): readonly QkdKey[] {
    const leftHere = this.leftAt.get(station) ?? Number.POSITIVE_INFINITY;
    const made = Math.min(count, this.keysLeft, leftHere);
    if (made === 0) throw new QkdError('exhausted', 'the device has no keys');
    this.keysLeft -= made;
    this.leftAt.set(station, leftHere - made);
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
