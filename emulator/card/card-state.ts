/**
 * All that a card keeps without power, as one immutable value and one byte string. Every command
 * that changes it makes the next value and commits it whole: the transaction of a Java Card.
 */
import { transportKeyVersion } from '../../applet-spec/card-delivery.ts';
import {
  coinStates,
  peerKeyStates,
  profile,
  roles,
  type CardCoinState,
  type LifeCycle,
  type PeerKeyState,
  type Profile,
  type Role,
} from '../../applet-spec/card-objects.ts';
import { limits } from '../../applet-spec/limits.ts';
import {
  certificate,
  hash,
  money,
  publicKey,
  seconds,
  shortId,
  signature,
  stationName,
  userName,
  type StationName,
  type UserName,
} from '../../applet-spec/names.ts';
import type { CardKeys } from '../../applet-spec/scp03-keys.ts';
import {
  decodeElement,
  element,
  listOf,
  octets,
  oneOf,
  optional,
  small,
  struct,
  uint,
  type RequiredElement,
} from '../../applet-spec/tlv.ts';
import { apduProfiles, type ApduProfile } from './atr.ts';

export interface StoredKeys extends CardKeys {
  readonly version: number;
}

export interface StoredCoin {
  readonly coinId: Uint8Array;
  readonly secret: Uint8Array;
  readonly value: bigint;
  /** Unix seconds. */
  readonly expiry: bigint;
  readonly state: CardCoinState;
  /** Of the retirement that the coin is in. */
  readonly orderId?: Uint8Array;
}

/** A slot: the key shared with a peer, and the journal's entry of its payment. */
export interface StoredPeerKey {
  readonly paymentId: Uint8Array;
  readonly role: Role;
  readonly state: PeerKeyState;
  readonly peer: UserName;
  readonly coinId: Uint8Array;
  /** The payer's only. */
  readonly quoteDigest?: Uint8Array;
  /** The last epoch given out for sending; 0 before the first. */
  readonly sendEpoch: bigint;
  /** Who decides, and the key that its receipt must verify under. */
  readonly verdictStation: StationName;
  readonly verdictKey: Uint8Array;
  /** Erased once burned. */
  readonly secret?: Uint8Array;
  /**
   * The payer's transaction between its mark and its signature; what a torn PAY is finished from.
   */
  readonly unsigned?: Uint8Array;
  /** The payer's of its transaction, or the payee's of its acknowledgement. */
  readonly signature?: Uint8Array;
}

/** What the card signed with until another certificate took the place of its own. */
export interface FormerKey {
  /** SHA-256 of the certificate. */
  readonly certificate: Uint8Array;
  readonly publicKey: Uint8Array;
}

/** What the maker gave the card to attest with. */
export interface DeviceIdentity {
  readonly privateKey: Uint8Array;
  /** DER, in the role `card-device`, of this serial number. */
  readonly certificate: Uint8Array;
}

export interface CardState {
  readonly serial: Uint8Array;
  /** Absent on a card whose maker attests nothing. */
  readonly device?: DeviceIdentity;
  /** How the card was made to speak. */
  readonly apduProfile: ApduProfile;
  readonly handle?: Uint8Array;
  readonly keys: StoredKeys;
  readonly pin?: Uint8Array;
  readonly pinTries: number;
  readonly puk?: Uint8Array;
  readonly pukTries: number;
  /** Made by GENERATE KEY PAIR, in force once its certificate has come. */
  readonly pendingPrivateKey?: Uint8Array;
  readonly privateKey?: Uint8Array;
  readonly certificate?: Uint8Array;
  readonly profile?: Profile;
  /** What was paid on the latest day of quotes (days since 1970), in minor units. */
  readonly spentDay: bigint;
  readonly spentOnDay: bigint;
  /**
   * The latest time, in Unix seconds, that the home station has spoken of: the card has no clock.
   */
  readonly timeSeen: bigint;
  readonly coins: readonly StoredCoin[];
  readonly peerKeys: readonly StoredPeerKey[];
  /** IDs of coins that left the card, latest last: none of them may come back. */
  readonly goneCoinIds: readonly Uint8Array[];
  /**
   * The highest epoch for sending that an erased slot had: new slots begin there, as one may hold
   * the same key again. Absent where none had any.
   */
  readonly epochFloor?: bigint;
  /** The latest last; none of them signs any more. Absent where there are none. */
  readonly formerKeys?: readonly FormerKey[];
}

export function blankState(made: {
  readonly serial: Uint8Array;
  readonly transportKeys: CardKeys;
  readonly apduProfile: ApduProfile;
  readonly device?: DeviceIdentity;
}): CardState {
  const { transportKeys, ...own } = made;
  return {
    ...own,
    keys: { ...transportKeys, version: transportKeyVersion },
    pinTries: limits.pinTries,
    pukTries: limits.pukTries,
    spentDay: 0n,
    spentOnDay: 0n,
    timeSeen: 0n,
    coins: [],
    peerKeys: [],
    goneCoinIds: [],
  };
}

export function lifeCycleOf(state: CardState): LifeCycle {
  if (state.pinTries === 0 && state.pukTries === 0) return 'blocked';
  if (state.pin === undefined || state.puk === undefined) return 'blank';
  return ownership(state) === undefined ? 'initialised' : 'enrolled';
}

/** What an enrolled card signs with and pays by. */
export interface Ownership {
  readonly privateKey: Uint8Array;
  readonly certificate: Uint8Array;
  readonly profile: Profile;
}

/** undefined until the card has certificate, profile and its station's own keys. */
export function ownership(state: CardState): Ownership | undefined {
  const { privateKey, certificate: der, profile: of, keys, pin, puk } = state;
  if (privateKey === undefined || der === undefined || of === undefined) return undefined;
  if (keys.version === transportKeyVersion || pin === undefined || puk === undefined) {
    return undefined;
  }
  return { privateKey, certificate: der, profile: of };
}

const aesKey = octets(32);
const privateKey = octets(32);
const reference = octets(limits.pinBytesLeast, limits.pinBytesMost);

const storedCoin = struct({
  coinId: element(0x80, shortId),
  secret: element(0x81, octets(32)),
  value: element(0x82, money),
  expiry: element(0x83, seconds),
  state: element(0x84, oneOf(coinStates)),
  orderId: optional(element(0x85, shortId)),
});

const storedPeerKey = struct({
  paymentId: element(0x80, hash),
  role: element(0x81, oneOf(roles)),
  state: element(0x82, oneOf(peerKeyStates)),
  peer: element(0x83, userName),
  coinId: element(0x84, shortId),
  quoteDigest: optional(element(0x85, hash)),
  sendEpoch: element(0x86, uint(4)),
  verdictStation: element(0x87, stationName),
  verdictKey: element(0x88, publicKey),
  secret: optional(element(0x89, octets(32))),
  unsigned: optional(element(0x8a, octets(1, 512))),
  signature: optional(element(0x8b, signature)),
});

const cardState = element(
  0x60,
  struct({
    serial: element(0x80, shortId),
    apduProfile: element(0x81, oneOf(apduProfiles)),
    handle: optional(element(0x9a, shortId)),
    keys: element(
      0xa2,
      struct({
        version: element(0x80, small(0x7f)),
        enc: element(0x81, aesKey),
        mac: element(0x82, aesKey),
        dek: element(0x83, aesKey),
        hostLink: element(0x84, aesKey),
      }),
    ),
    pin: optional(element(0x83, reference)),
    pinTries: element(0x84, small(limits.pinTries)),
    puk: optional(element(0x85, reference)),
    pukTries: element(0x86, small(limits.pukTries)),
    pendingPrivateKey: optional(element(0x87, privateKey)),
    privateKey: optional(element(0x88, privateKey)),
    certificate: optional(element(0x89, certificate)),
    profile: optional(profile),
    spentDay: element(0x8a, uint(8)),
    spentOnDay: element(0x8b, money),
    timeSeen: element(0x8c, seconds),
    coins: element(0xad, listOf(kept(element(0xa0, storedCoin)), 0, limits.cardCoins)),
    peerKeys: element(0xae, listOf(kept(element(0xa0, storedPeerKey)), 0, limits.cardPeerKeys)),
    goneCoinIds: element(0xaf, listOf(element(0x80, shortId), 0, limits.cardGoneCoins)),
    epochFloor: optional(element(0x91, uint(4))),
    device: optional(
      element(
        0xb0,
        struct({ privateKey: element(0x80, privateKey), certificate: element(0x81, certificate) }),
      ),
    ),
    formerKeys: optional(
      element(
        0xb2,
        listOf(
          element(
            0xa0,
            struct({ certificate: element(0x80, hash), publicKey: element(0x81, publicKey) }),
          ),
          1,
          limits.cardFormerKeys,
        ),
      ),
    ),
  }),
);

export function encodeCardState(state: CardState): Uint8Array {
  return cardState.encode(state);
}

/** Throws TlvError. */
export function decodeCardState(bytes: Uint8Array): CardState {
  return decodeElement(cardState, bytes, 'card state');
}

/**
 * Coins and slots never change in place, so each is encoded once: a commit of 1,000 coins stays
 * cheap.
 */
function kept<T extends object>(of: RequiredElement<T>): RequiredElement<T> {
  const encoded = new WeakMap<T, Uint8Array>();
  return {
    ...of,
    encode(value) {
      const known = encoded.get(value);
      if (known !== undefined) return known;
      const bytes = of.encode(value);
      encoded.set(value, bytes);
      return bytes;
    },
  };
}
