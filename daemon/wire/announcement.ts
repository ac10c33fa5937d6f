/** What a station tells the whole network of itself (design §10): flooded, signed, sequenced. */
import { labels } from '../../applet-spec/labels.ts';
import {
  certificate,
  currency,
  money,
  networkName,
  seconds,
  signedHead,
  stationName,
  suite,
} from '../../applet-spec/names.ts';
import { signedKind, type Signed } from '../../applet-spec/signed-object.ts';
import {
  checked,
  element,
  listOf,
  oneOf,
  optional,
  struct,
  uint,
  type Static,
} from '../../applet-spec/tlv.ts';
import { countsFault } from './counts.ts';

/** A station has at most this many neighbours: fibres that leave one room. */
export const neighboursMost = 64;

/** So many certificates of one role, besides the one in use, are told to others. */
export const formerCertificatesMost = 8;

/** A route leads only over links that are `up`. */
const linkStates = { down: 1, connecting: 2, 'waiting-for-keys': 3, up: 4 } as const;

/** One outgoing link. It counts only where the other end announces it too. */
const announcedLink = struct({
  neighbour: element(0x80, stationName),
  suite: element(0x81, suite),
  /** Secret bits in stock for sending, as the reservoir counts them. */
  availableBits: element(0x82, uint(8)),
  state: element(0x83, oneOf(linkStates)),
  /** When that state began. */
  since: element(0x84, seconds),
  /** How many bits those who wait for keys lack. */
  missingBits: element(0x85, uint(8)),
});
export type AnnouncedLink = Static<typeof announcedLink>;

const announcementFields = struct({
  ...signedHead,
  network: element(0x82, networkName),
  station: element(0x83, stationName),
  /** Rises with every announcement, also across restarts. */
  sequence: element(0x84, uint(8)),
  time: element(0x85, seconds),
  /** Not to be used for a new quote after this time. */
  expiry: element(0x86, seconds),
  currency: element(0x87, currency),
  /** The flat tariff: what this station charges for each payment that it carries. */
  fee: element(0x88, money),
  links: element(0xa9, listOf(element(0xa0, announcedLink), 0, neighboursMost)),
  coinCertificate: element(0x8a, certificate),
  documentCertificate: element(0x8b, certificate),
  /**
   * Coin and document certificates used before, as long as something that they vouch for may still
   * come: coins of then are paid with, payments of then await their verdict.
   */
  formerCertificates: optional(
    element(0xac, listOf(element(0x80, certificate), 1, 2 * formerCertificatesMost)),
  ),
});
export type AnnouncementBody = Static<typeof announcementFields>;
export type Announcement = Signed<AnnouncementBody>;

const announcementBody = checked(announcementFields, ({ sequence }) => countsFault([sequence]));

/** Signed with the document key of the certificate inside. */
export const announcement = signedKind('announcement', 0xe9, labels.announcement, announcementBody);
