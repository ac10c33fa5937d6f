/** The acceptance (S21), the bill and the quote (S23–S24). */
import { labels } from './labels.ts';
import { limits } from './limits.ts';
import {
  currency,
  hash,
  money,
  networkName,
  publicKey,
  seconds,
  shortId,
  signedHead,
  stationName,
  suite,
  userName,
} from './names.ts';
import { signedKind, type Signed } from './signed-object.ts';
import { element, listOf, octets, struct, type Static } from './tlv.ts';

const acceptanceBody = struct({
  ...signedHead,
  network: element(0x82, networkName),
  acceptanceId: element(0x83, shortId),
  payer: element(0x84, userName),
  payee: element(0x85, userName),
  payeeStation: element(0x86, stationName),
  /** SHA-256 of the certificate that will acknowledge. */
  payeeCertificate: element(0x87, hash),
  time: element(0x88, seconds),
  expiry: element(0x89, seconds),
});

export type AcceptanceBody = Static<typeof acceptanceBody>;
export type Acceptance = Signed<AcceptanceBody>;

/** Signed by the payee's station with its document key. */
export const acceptance = signedKind('acceptance', 0xe2, labels.acceptance, acceptanceBody);

/**
 * One station's line of the bill: its fee and the announcement of its own that the fee follows
 * from.
 */
export const billLine = struct({
  station: element(0x80, stationName),
  fee: element(0x81, money),
  /** The first 16 bytes of the announcement's digest. */
  announcement: element(0x82, octets(16)),
});

export type BillLine = Static<typeof billLine>;

const quoteBody = struct({
  ...signedHead,
  network: element(0x82, networkName),
  quoteId: element(0x83, shortId),
  payer: element(0x84, userName),
  payee: element(0x85, userName),
  currency: element(0x86, currency),
  /** In route order: the first station issues the coin, the last one hands the key over. */
  bill: element(
    0xa7,
    listOf(element(0xa0, billLine), limits.routeStationsLeast, limits.routeStationsMost),
  ),
  time: element(0x88, seconds),
  /** The latest time to pay. */
  expiry: element(0x89, seconds),
  /** The latest time, by the last station's clock, to hand the key over. */
  deliveryDeadline: element(0x8a, seconds),
  /** Without a verdict by then, the issuer replaces the coin at its own risk. */
  resolutionDeadline: element(0x8b, seconds),
  minimumSuite: element(0x8c, suite),
  acceptanceId: element(0x8d, shortId),
  payeeCertificate: element(0x8e, hash),
  /** The document key of the last station: the payer's card checks its receipt. */
  payeeStationKey: element(0x8f, publicKey),
});

export type QuoteBody = Static<typeof quoteBody>;
export type Quote = Signed<QuoteBody>;

/** Signed by the payer's station with its document key. */
export const quote = signedKind('quote', 0xe3, labels.quote, quoteBody);

/** S31: what the coin's value must be. */
export function billTotal(bill: readonly BillLine[]): bigint {
  return bill.reduce((sum, line) => sum + line.fee, 0n);
}
