/**
 * Sealing at rest (design §4): AES-256-GCM under a subkey of its own for every record, derived from
 * the station key and a random salt. What is sealed opens only in its own place.
 */
import { concatBytes, toUtf8, uintToBytes, wipe } from '../../applet-spec/bytes.ts';
import { deriveKey } from '../../applet-spec/kdf.ts';
import { requireLength } from '../../applet-spec/primitive-input.ts';
import type { Entropy, Primitives } from '../../applet-spec/primitives.ts';
import { StoreError } from './store-error.ts';

/** Where a sealed record belongs; all of it is associated data. */
export interface SealedPlace {
  readonly table: string;
  readonly row: Uint8Array;
  /** Rises where a row's secret is replaced by another, such as a card's key version. */
  readonly version: number;
  /** The custody in which the secret may exist: a row that leaves it has its secret erased. */
  readonly state: string;
}

const sealVersion = 1;
const version1 = Uint8Array.of(sealVersion);
const fieldsMost = 1_024;
const saltBytes = 32;
/** Every subkey seals one record, so its one nonce may be anything. */
const onlyNonce = new Uint8Array(12);

export interface SealerOptions {
  readonly primitives: Primitives;
  readonly entropy: Entropy;
  /** 32 bytes. */
  readonly stationKey: Uint8Array;
  readonly station: string;
}

export class Sealer {
  readonly #primitives: Primitives;
  readonly #entropy: Entropy;
  readonly #stationKey: Uint8Array;
  readonly #station: Uint8Array;
  readonly #fields = new Map<string, Uint8Array>();

  constructor({ primitives, entropy, stationKey, station }: SealerOptions) {
    requireLength(stationKey, 32, 'a station key');
    this.#primitives = primitives;
    this.#entropy = entropy;
    this.#stationKey = new Uint8Array(stationKey);
    this.#station = field(toUtf8(station));
  }

  /** Version byte ‖ salt ‖ ciphertext ‖ tag. */
  seal(place: SealedPlace, secret: Uint8Array): Uint8Array {
    const salt = this.#entropy.randomBytes(saltBytes);
    const subkey = this.#subkey(salt);
    const sealed = this.#primitives.aesGcmSeal(subkey, onlyNonce, secret, this.#bound(place));
    wipe(subkey);
    return concatBytes(version1, salt, sealed);
  }

  /**
   * Throws StoreError `corrupt` where the record was changed, moved, or sealed under another key.
   */
  open(place: SealedPlace, record: Uint8Array): Uint8Array {
    const subkey = this.#subkey(record.subarray(1, 1 + saltBytes));
    const sealed = record.subarray(1 + saltBytes);
    const secret =
      record[0] === sealVersion
        ? this.#primitives.aesGcmOpen(subkey, onlyNonce, sealed, this.#bound(place))
        : undefined;
    wipe(subkey);
    if (secret === undefined) {
      throw new StoreError('corrupt', `a sealed record of table ${place.table} does not open`);
    }
    return secret;
  }

  /** Forgets the station key. */
  destroy(): void {
    wipe(this.#stationKey);
  }

  #subkey(salt: Uint8Array): Uint8Array {
    const purpose = { label: 'keytoll store 1', use: 'seal', context: salt };
    return deriveKey(this.#primitives, this.#stationKey, purpose);
  }

  #bound({ table, row, version, state }: SealedPlace): Uint8Array {
    return concatBytes(
      version1,
      this.#station,
      this.#field(table),
      uintToBytes(BigInt(row.length), 2),
      row,
      uintToBytes(BigInt(version), 4),
      this.#field(state),
    );
  }

  /** A text of few: tables, and custodies with a neighbour's name at most. */
  #field(text: string): Uint8Array {
    const known = this.#fields.get(text);
    if (known !== undefined) return known;
    const bytes = field(toUtf8(text));
    if (this.#fields.size >= fieldsMost) this.#fields.clear();
    this.#fields.set(text, bytes);
    return bytes;
  }
}

/** Length first, so that neighbouring fields cannot trade bytes. */
function field(bytes: Uint8Array): Uint8Array {
  return concatBytes(uintToBytes(BigInt(bytes.length), 2), bytes);
}
