/**
 * What a host and its station's desk say to each other over one WebSocket (binary messages, one
 * desk message each). Until `established`, messages are in the clear: the greeting and the APDUs of
 * SCP03's mutual authentication. From then on every message is a sealed record (`sealed-record.ts`,
 * kind `desk`) under the host-link keys that the card derived.
 *
 * The desk drives the card: it sends `command`s, the host passes each whole APDU to the card and
 * returns the `answer`, without understanding either. Requests are the host's; each gets exactly
 * one `reply` or `refused`, and notices come unasked.
 */
import { acceptance, quote } from './quote.ts';
import { coin } from './coin.ts';
import { retirement } from './card-objects.ts';
import { limits } from './limits.ts';
import {
  certificate,
  currency,
  hash,
  money,
  networkName,
  seconds,
  shortId,
  stationName,
  suite,
  userName,
} from './names.ts';
import { payment } from './payment.ts';
import { admission, receipt, refusal } from './receipt.ts';
import {
  choice,
  element,
  listOf,
  nothing,
  octets,
  oneOf,
  oneOfGrowing,
  optional,
  small,
  struct,
  text,
  uint,
  type Static,
  type UnnamedWord,
} from './tlv.ts';

export const deskVersion = 1;

const requestId = element(0x80, uint(4));
const apdu = element(0x81, octets(1, limits.apduBytes));
const coins = listOf(coin, 0, limits.loadCoins);

/** One denomination of an order: `count` coins of `value` minor units. */
export const orderLine = struct({
  value: element(0x80, money),
  count: element(0x81, small(limits.orderCoins)),
});
export type OrderLine = Static<typeof orderLine>;
const orderLines = listOf(element(0xa0, orderLine), 1, limits.orderLines);

/** Why a desk says no. Each has its sentence for a person in `refused.message`. */
export const deskRefusalCodes = {
  'not-enrolled': 1,
  'unknown-card': 2,
  'account-too-low': 3,
  'payee-unknown': 4,
  'payee-absent': 5,
  'no-route': 6,
  'quote-unknown': 7,
  'quote-expired': 8,
  'no-matching-coin': 9,
  'not-authorised': 10,
  'limit-exceeded': 11,
  'coin-not-unspent': 12,
  'pool-full': 13,
  'peer-keys-full': 14,
  'no-keys': 15,
  'certificate-not-valid': 16,
  'verification-failed': 17,
  'payment-unknown': 18,
  'card-fault': 19,
  'outcome-unknown': 20,
  overloaded: 21,
  stopping: 22,
  'bad-message': 23,
  'version-not-supported': 24,
  'order-conflict': 25,
  'card-not-attested': 26,
  'no-coin-secrets': 27,
  'position-limit': 28,
  'too-many-failures': 29,
  'rolled-back': 30,
  'nothing-to-pay': 31,
} as const;
/** What this program says, or what a newer desk said: nothing has changed then. */
export type DeskRefusalCode = keyof typeof deskRefusalCodes | UnnamedWord;
const refusalWords = {
  code: element(0x82, oneOfGrowing(deskRefusalCodes)),
  message: element(0x83, text(limits.messageBytes)),
} as const;

/** Where a payment stands, as its payer's or payee's desk knows. */
export const paymentStandings = {
  admitted: 1,
  relayed: 2,
  delivered: 3,
  undelivered: 4,
  refused: 5,
} as const;
export type PaymentStanding = keyof typeof paymentStandings;

/** A payment with all that its owner keeps for audit (S39); the certificate is only named. */
const paymentRecord = struct({
  payment,
  admission: optional(admission),
  receipt: optional(receipt),
  refusal: optional(refusal),
  standing: element(0x84, oneOf(paymentStandings)),
});
export type PaymentRecord = Static<typeof paymentRecord>;

const hello = struct({
  version: element(0x80, small(0xff)),
  /** The card's serial number or current handle. */
  cardIdentifier: element(0x81, shortId),
  /** Joins the derivation of the host-link keys. */
  hostNonce: element(0x82, shortId),
});
export type Hello = Static<typeof hello>;

const quoteRequest = struct({
  requestId,
  payee: element(0x81, userName),
  minimumSuite: element(0x82, suite),
  /** Stations that the route shall leave out. */
  avoid: element(0xa3, listOf(element(0x80, stationName), 0, limits.routeStationsMost)),
});
export type QuoteRequest = Static<typeof quoteRequest>;

const quoteReply = struct({
  requestId,
  quote,
  acceptance,
  /**
   * Document certificates of the payer's and of the payee's station; the host checks both itself.
   */
  stationCertificate: element(0x84, certificate),
  payeeStationCertificate: element(0x85, certificate),
  crl: element(0x86, octets(1, limits.crlBytes)),
});
export type QuoteReply = Static<typeof quoteReply>;

const accountReply = struct({
  requestId,
  user: element(0x81, userName),
  station: element(0x82, stationName),
  network: element(0x83, networkName),
  currency: element(0x84, currency),
  /** What can be bought or paid out, in minor units. */
  balance: element(0x85, money),
  coinsOutstanding: element(0x86, uint(4)),
  valueOutstanding: element(0x87, money),
  /** The user's own certificate's last second, which no host can read from the card. */
  certificateEnd: optional(element(0x88, seconds)),
});
export type AccountReply = Static<typeof accountReply>;

/** What the host needs to check its own station's coins, quotes, admissions and refusals. */
const stationReply = struct({
  requestId,
  documentCertificate: element(0x81, certificate),
  coinCertificate: element(0x82, certificate),
  crl: element(0x83, octets(1, limits.crlBytes)),
  /** Those of both roles that it used before, for what they signed then. The newest. */
  formerCertificates: optional(
    element(0xa4, listOf(element(0x80, certificate), 1, limits.formerCertificates)),
  ),
});
export type StationReply = Static<typeof stationReply>;

export const hostMessage = choice({
  hello: element(0x61, hello),
  answer: element(0x62, struct({ exchange: element(0x80, uint(4)), apdu })),
  account: element(0x63, struct({ requestId })),
  /** S1. The order ID makes a repeated order the same order. */
  buy: element(
    0x64,
    struct({ requestId, orderId: element(0x81, shortId), lines: element(0xa2, orderLines) }),
  ),
  /** S22. */
  quote: element(0x65, quoteRequest),
  /** S33: the card has authorised this quote; the desk may now have it pay. */
  pay: element(0x66, struct({ requestId, quoteDigest: element(0x81, hash) })),
  payment: element(0x67, struct({ requestId, paymentId: element(0x81, hash) })),
  /** The public parts of all coins that the station believes to be on the card, in pages. */
  coins: element(0x68, struct({ requestId, after: optional(element(0x81, shortId)) })),
  /** S1 refund; the card has authorised the retirement's digest. */
  refund: element(0x69, struct({ requestId, retirement })),
  /** Coins for coins of the same sum. */
  exchange: element(0x6a, struct({ requestId, retirement, lines: element(0xa2, orderLines) })),
  /**
   * All payments of this user whose record changed after a given one; for a wallet that was away.
   */
  payments: element(0x6b, struct({ requestId, since: element(0x81, uint(8)) })),
  bye: element(0x6c, nothing),
  /** The station's certificates and the CRL; a host asks after every `established`. */
  station: element(0x6d, struct({ requestId })),
});
export type HostMessage = Static<typeof hostMessage>;

export const deskMessage = choice({
  command: element(0x61, struct({ exchange: element(0x80, uint(4)), apdu })),
  /** Card and station have authenticated each other; records are sealed from here on. */
  established: element(0x62, struct({ station: element(0x80, stationName) })),
  account: element(0x63, accountReply),
  /** Part of an order, or of the answer to `coins`: these public parts belong into the wallet. */
  coinsLoaded: element(
    0x64,
    struct({
      orderId: element(0x80, shortId),
      loaded: element(0x81, uint(4)),
      of: element(0x82, uint(4)),
      coins: element(0xa3, coins),
    }),
  ),
  ordered: element(
    0x65,
    struct({ requestId, orderId: element(0x81, shortId), balance: element(0x82, money) }),
  ),
  quote: element(0x66, quoteReply),
  /** The payment is admitted, or was before: S34 is done and S36 has begun. */
  paid: element(0x67, struct({ requestId, record: element(0xa1, paymentRecord) })),
  payment: element(0x68, struct({ requestId, record: element(0xa1, paymentRecord) })),
  coins: element(
    0x69,
    struct({ requestId, coins: element(0xa1, coins), more: element(0x82, small(1)) }),
  ),
  refunded: element(
    0x6a,
    struct({ requestId, orderId: element(0x81, shortId), balance: element(0x82, money) }),
  ),
  exchanged: element(0x6b, struct({ requestId, orderId: element(0x81, shortId) })),
  payments: element(
    0x6c,
    struct({
      requestId,
      records: element(0xa1, listOf(element(0xa0, paymentRecord), 0, 16)),
      next: element(0x82, uint(8)),
      more: element(0x83, small(1)),
    }),
  ),
  refused: element(0x6d, struct({ requestId, ...refusalWords })),
  /** Notice to payer (S38) or payee (S37): the card has the verdict and so has this record. */
  concluded: element(
    0x6e,
    struct({
      record: element(0xa0, paymentRecord),
      role: element(0x81, oneOf({ payer: 1, payee: 2 })),
      /** A replacement for a burned coin, already on the card. */
      replacement: optional(coin),
    }),
  ),
  station: element(0x6f, stationReply),
  /** Enrolment is done: the card holds its certificate and its own keys. */
  enrolled: element(
    0x70,
    struct({ user: element(0x80, userName), station: element(0x81, stationName) }),
  ),
  /** The desk ends the connection; in the clear before `established`. */
  bye: element(0x71, struct({ ...refusalWords })),
});
export type DeskMessage = Static<typeof deskMessage>;
