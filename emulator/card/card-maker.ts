/** A new card, as it leaves its maker: a serial number, transport keys, and nothing else. */
import { transportKeyVersion, type CardDelivery } from '../../applet-spec/card-delivery.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import type { ApduProfile } from './atr.ts';
import { blankState, encodeCardState } from './card-state.ts';

export interface NewCard {
  /** For a `Storage`. */
  readonly image: Uint8Array;
  /** For the station. */
  readonly delivery: CardDelivery;
}

export function makeCard(entropy: Entropy, apduProfile: ApduProfile = 't1-extended'): NewCard {
  const serial = entropy.randomBytes(16);
  const keys = {
    enc: entropy.randomBytes(32),
    mac: entropy.randomBytes(32),
    dek: entropy.randomBytes(32),
    hostLink: entropy.randomBytes(32),
  };
  return {
    image: encodeCardState(blankState(serial, keys, apduProfile)),
    delivery: { serial, keyVersion: transportKeyVersion, keys },
  };
}
