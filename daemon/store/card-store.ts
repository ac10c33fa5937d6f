/** Cards, with the keys that they share with this station; part of `Store`. */
import type { UserName } from '../../applet-spec/names.ts';
import type { CardKeys } from '../../applet-spec/scp03-keys.ts';

export interface CardRecord {
  readonly serial: Uint8Array;
  readonly user: UserName;
  readonly state: 'awaiting-enrolment' | 'enrolled' | 'frozen';
  /** The key version and keys that card and station share now. */
  readonly keyVersion: number;
  readonly keys: CardKeys;
  /** Keys sent to the card by PUT KEY, not yet known to be in force. */
  readonly nextKeyVersion?: number;
  readonly nextKeys?: CardKeys;
  readonly handle?: Uint8Array;
  readonly nextHandle?: Uint8Array;
  /**
   * SHA-256 of the root of the maker whose device key attested the card's own key at enrolment;
   * absent where it was taken on trust.
   */
  readonly attestedBy?: Uint8Array;
  /** This station's document key in the card's profile; set by `putStationKey` alone. */
  readonly stationKey?: Uint8Array;
  readonly paymentLimit: bigint;
  readonly dayLimit: bigint;
}

export interface CardStore {
  putCard(card: CardRecord): Promise<void>;
  /** Undefined: not known, as before a PUT PROFILE whose answer may be lost. */
  putStationKey(serial: Uint8Array, stationKey: Uint8Array | undefined): Promise<void>;
  /** By serial number, present handle or next handle. */
  cardByIdentifier(identifier: Uint8Array): Promise<CardRecord | undefined>;
  cardOf(user: UserName): Promise<CardRecord | undefined>;
  /** All, by serial number, behind `after`. */
  cards(after: Uint8Array | undefined, limit: number): Promise<readonly CardRecord[]>;
  /** Enrolment's last step: certificate kept and named by the user, card enrolled. */
  enrolCard(serial: Uint8Array, certificate: Uint8Array): Promise<void>;
}
