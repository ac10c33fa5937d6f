import type { LoadedCoin } from '../../applet-spec/card-objects.ts';
import { NotConforming } from './expectation.ts';
import { coinOf } from './specimens.ts';

export interface KnownPeerKey {
  readonly paymentId: Uint8Array;
  readonly secret: Uint8Array;
}

export interface OfferedKey extends KnownPeerKey {
  /** Of the acknowledgement. */
  readonly signature: Uint8Array;
}

/** What the cases of an expendable card hand on to each other. */
export class SpecimenLife {
  /** The key pair that the card made last. */
  publicKey: Uint8Array = new Uint8Array(0);
  certificate: Uint8Array = new Uint8Array(0);
  /** Coins that have left the card. */
  readonly gone: LoadedCoin[] = [];
  #offered: OfferedKey | undefined;
  #active: KnownPeerKey | undefined;
  #spent: LoadedCoin | undefined;
  #count = 0;

  /** A number that was not used before, for a quote. */
  nextNumber(): number {
    this.#count += 1;
    return this.#count;
  }

  nextCoin(changes: Partial<LoadedCoin> = {}): LoadedCoin {
    return coinOf(this.nextNumber(), changes);
  }

  /** A value that no coin had before, within the payment limit of the specimen profile. */
  nextValue(): bigint {
    return 200n + BigInt(this.nextNumber());
  }

  /** The payee's key of PEER-1. Throws NotConforming where that case failed. */
  get offered(): OfferedKey {
    return required(this.#offered, 'no key was offered: see PEER-1');
  }

  set offered(peerKey: OfferedKey) {
    this.#offered = peerKey;
  }

  /** The payer's key of PEER-4. Throws NotConforming where that case failed. */
  get active(): KnownPeerKey {
    return required(this.#active, 'no key is active: see PEER-4');
  }

  set active(peerKey: KnownPeerKey) {
    this.#active = peerKey;
  }

  /** The coin of ROOM-1, whose slot is still there. Throws NotConforming where that case failed. */
  get spent(): LoadedCoin {
    return required(this.#spent, 'no coin was spent: see ROOM-1');
  }

  set spent(coin: LoadedCoin) {
    this.#spent = coin;
  }
}

function required<T>(found: T | undefined, otherwise: string): T {
  if (found === undefined) throw new NotConforming(otherwise);
  return found;
}
