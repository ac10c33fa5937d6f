/**
 * The data fields of commands and answers (design §6). Layout first; the applet's rules are in
 * prose.
 */
import { labels } from './labels.ts';
import { limits } from './limits.ts';
import {
  certificate,
  currency,
  hash,
  money,
  networkName,
  publicKey,
  seconds,
  shortId,
  signature,
  stationName,
  userName,
} from './names.ts';
import type { Primitives } from './primitives.ts';
import {
  element,
  listOf,
  octets,
  oneOf,
  optional,
  small,
  struct,
  uint,
  type Static,
} from './tlv.ts';

export const lifeCycles = { blank: 1, initialised: 2, enrolled: 3, blocked: 4 } as const;
export type LifeCycle = keyof typeof lifeCycles;

/** GET DATA 0101. `identifier` is the serial number until enrolment, then a random handle. */
export const applicationInfo = element(
  0x6e,
  struct({
    specVersion: element(0x80, small(0xff)),
    lifeCycle: element(0x81, oneOf(lifeCycles)),
    identifier: element(0x82, shortId),
    pinTries: element(0x83, small(limits.pinTries)),
    pukTries: element(0x84, small(limits.pukTries)),
    keyVersion: element(0x85, small(0x7f)),
    coins: element(0x86, small(limits.cardCoins)),
    coinsCapacity: element(0x87, small(0xffff)),
    peerKeys: element(0x88, small(limits.cardPeerKeys)),
    peerKeysCapacity: element(0x89, small(0xff)),
  }),
);
export type ApplicationInfo = Static<typeof applicationInfo>;

/** PUT PROFILE; GET DATA 0102 returns it, with the certificate's hash, after the PIN. */
const profileFields = {
  user: element(0x80, userName),
  homeStation: element(0x81, stationName),
  network: element(0x82, networkName),
  currency: element(0x83, currency),
  /** The home station's document key: refusals, and receipts for keys that arrive. */
  homeStationKey: element(0x84, publicKey),
  paymentLimit: element(0x85, money),
  dayLimit: element(0x86, money),
} as const;
export const profile = element(0x65, struct(profileFields));
export type Profile = Static<typeof profile>;

export const owner = element(0x66, struct({ ...profileFields, certificate: element(0x87, hash) }));
export type Owner = Static<typeof owner>;

/** Answer of GENERATE KEY PAIR; the signature is over label ‖ nonce ‖ public key. */
export const generatedKey = element(
  0x67,
  struct({ publicKey: element(0x80, publicKey), possession: element(0x81, signature) }),
);

/** AUTHORISE. */
export const operations = { pay: 1, exchange: 2, refund: 3 } as const;
export type Operation = keyof typeof operations;
export const authorisation = element(
  0x68,
  struct({ operation: element(0x80, oneOf(operations)), digest: element(0x81, hash) }),
);
export type Authorisation = Static<typeof authorisation>;

/**
 * RETIRE COINS: what host and station agreed to take out of the pool, for new coins or for money.
 */
export const retirement = element(
  0x69,
  struct({
    orderId: element(0x80, shortId),
    operation: element(0x81, oneOf({ exchange: 2, refund: 3 })),
    coinIds: element(0xa2, listOf(element(0x80, shortId), 1, limits.loadCoins)),
  }),
);
export type Retirement = Static<typeof retirement>;

/** The digest that AUTHORISE takes for an exchange or a refund. */
export function retirementDigest(primitives: Primitives, retirementBytes: Uint8Array): Uint8Array {
  return primitives.sha256(labels.authorisation, retirementBytes);
}

/** LOAD COINS: 32 secret bytes and what the card must know of each. */
export const loadedCoin = struct({
  coinId: element(0x80, shortId),
  secret: element(0x81, octets(32)),
  value: element(0x82, money),
  expiry: element(0x83, seconds),
});
export const coinLoad = element(
  0x6a,
  struct({ coins: element(0xa0, listOf(element(0xa0, loadedCoin), 1, limits.loadCoins)) }),
);
export type LoadedCoin = Static<typeof loadedCoin>;

/** Answer of PAY. The station rebuilds the transaction from the quote and its own coin record. */
export const payAnswer = element(
  0x6b,
  struct({
    coinId: element(0x80, shortId),
    signature: element(0x81, signature),
    certificate: optional(element(0x82, certificate)),
  }),
);
export type PayAnswer = Static<typeof payAnswer>;

/** OFFER: the card recomputes the commitment that the transaction holds. */
export const offer = element(
  0x6c,
  struct({
    payer: element(0x80, userName),
    transaction: element(0xa1, octets(1, 512)),
    coinSecret: element(0x82, octets(32)),
  }),
);

/** Answer of OFFER: the signature of the acknowledgement. */
export const offerAnswer = element(0x6d, struct({ signature: element(0x80, signature) }));

/** Where a key shared with a peer stands on the card. */
export const peerKeyStates = { provisional: 1, active: 2, burned: 3 } as const;
export type PeerKeyState = keyof typeof peerKeyStates;
export const roles = { payer: 1, payee: 2 } as const;
export type Role = keyof typeof roles;

const journalFields = {
  paymentId: element(0x80, hash),
  role: element(0x81, oneOf(roles)),
  state: element(0x82, oneOf(peerKeyStates)),
  peer: element(0x83, userName),
  coinId: element(0x84, shortId),
} as const;

/** LIST PEER KEYS, one answer a page; P1 is the first index. */
export const peerKeyEntry = struct({
  ...journalFields,
  sendEpoch: element(0x85, uint(4)),
  /** Eight bytes derived from the key under their own label; absent once burned. */
  check: optional(element(0x86, octets(8))),
});
export type PeerKeyEntry = Static<typeof peerKeyEntry>;
export const peerKeyPage = element(
  0x70,
  struct({
    total: element(0x80, small(limits.cardPeerKeys)),
    entries: element(0xa1, listOf(element(0xa0, peerKeyEntry), 0, limits.cardPeerKeys)),
  }),
);

/** LIST COINS, one answer a page; P1 P2 is the first index. */
export const coinStates = { unspent: 1, signed: 2, retiring: 3 } as const;
export type CardCoinState = keyof typeof coinStates;
export const coinEntry = struct({
  coinId: element(0x80, shortId),
  value: element(0x81, money),
  expiry: element(0x82, seconds),
  state: element(0x83, oneOf(coinStates)),
});
export type CoinEntry = Static<typeof coinEntry>;
export const coinPage = element(
  0x71,
  struct({
    total: element(0x80, small(limits.cardCoins)),
    entries: element(0xa1, listOf(element(0xa0, coinEntry), 0, 64)),
  }),
);

/** QUERY JOURNAL: by any one of three. */
export const journalQuery = element(
  0x72,
  struct({
    paymentId: optional(element(0x80, hash)),
    quoteDigest: optional(element(0x81, hash)),
    coinId: optional(element(0x82, shortId)),
  }),
);
export type JournalQuery = Static<typeof journalQuery>;

/**
 * Answer of QUERY JOURNAL: the payment's entry, or the coin's state; neither where the card has
 * none.
 */
export const journalAnswer = element(
  0x73,
  struct({
    payment: optional(
      element(
        0xa0,
        struct({
          ...journalFields,
          quoteDigest: optional(element(0x85, hash)),
          signature: optional(element(0x86, signature)),
        }),
      ),
    ),
    coin: optional(element(0xa1, coinEntry)),
  }),
);
export type JournalAnswer = Static<typeof journalAnswer>;

/**
 * DERIVE TRAFFIC: for sending the card advances its epoch first; for receiving the record names it.
 */
export const trafficRequest = element(
  0x74,
  struct({ paymentId: element(0x80, hash), epoch: optional(element(0x81, uint(4))) }),
);
export const trafficAnswer = element(
  0x75,
  struct({ epoch: element(0x80, uint(4)), trafficKey: element(0x81, octets(32)) }),
);
export type TrafficAnswer = Static<typeof trafficAnswer>;

/** DERIVE HOST LINK: nonce of the host in, one key for each direction out. */
export const hostLinkAnswer = element(
  0x76,
  struct({ toStation: element(0x80, octets(32)), toHost: element(0x81, octets(32)) }),
);
export type HostLinkAnswer = Static<typeof hostLinkAnswer>;

/**
 * ERASE COINS: coins that are retiring or expired. A card has no clock: with `time` the station
 * says how late it is, so that the card can see for itself which coins have expired.
 */
export const coinErasure = element(
  0x77,
  struct({
    coinIds: element(0xa0, listOf(element(0x80, shortId), 1, limits.loadCoins)),
    time: optional(element(0x81, seconds)),
  }),
);

/**
 * CHECK SIGNATURE: the card's own word, of a transaction where it paid or of a payment ID where it
 * acknowledged; exactly one of the two. `certificate` is the hash of the payee's that the quote of
 * that payment names, absent for the one in force; a transaction names the payer's itself.
 */
export const signatureCheck = element(
  0x79,
  struct({
    transaction: optional(element(0xa0, octets(1, 512))),
    paymentId: optional(element(0x81, hash)),
    signature: element(0x82, signature),
    certificate: optional(element(0x83, hash)),
  }),
);
export type SignatureCheck = Static<typeof signatureCheck>;
