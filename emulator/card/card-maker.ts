/** A new card, as it leaves its maker: a serial number, transport keys, and a device key. */
import { transportKeyVersion, type CardDelivery } from '../../applet-spec/card-delivery.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import type { ApduProfile } from './atr.ts';
import { blankState, encodeCardState } from './card-state.ts';
import type { DeviceMaker } from './device-maker.ts';

export interface NewCard {
  /** For a `Storage`. */
  readonly image: Uint8Array;
  /** For the station. */
  readonly delivery: CardDelivery;
}

/** What equips a card with its device key. */
export type CardEquipper = Pick<DeviceMaker, 'equip'>;

/** Without a maker the card has no device key, and can attest nothing. */
export function makeCard(
  entropy: Entropy,
  apduProfile: ApduProfile = 't1-extended',
  maker?: CardEquipper,
): NewCard {
  const serial = entropy.randomBytes(16);
  const keys = {
    enc: entropy.randomBytes(32),
    mac: entropy.randomBytes(32),
    dek: entropy.randomBytes(32),
    hostLink: entropy.randomBytes(32),
  };
  const made = { serial, transportKeys: keys, apduProfile };
  const state = blankState(maker === undefined ? made : { ...made, device: maker.equip(serial) });
  return {
    image: encodeCardState(state),
    delivery: { serial, keyVersion: transportKeyVersion, keys },
  };
}
