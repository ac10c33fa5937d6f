/**
 * The issuer's signed wish for a verdict (design §7). Stations between the two carry it, and none
 * of them may end a payment in the issuer's name: who asks proves it.
 */
import { labels } from '../../applet-spec/labels.ts';
import { hash, networkName, seconds, signedHead, stationName } from '../../applet-spec/names.ts';
import { reason } from '../../applet-spec/receipt.ts';
import { signedKind } from '../../applet-spec/signed-object.ts';
import { element, optional, struct, type Static } from '../../applet-spec/tlv.ts';

const inquiryBody = struct({
  ...signedHead,
  network: element(0x82, networkName),
  paymentId: element(0x83, hash),
  issuer: element(0x84, stationName),
  /** The station that decides. */
  lastStation: element(0x85, stationName),
  time: element(0x86, seconds),
  /** Why a station on the way would not carry it, where the issuer was told. */
  reason: optional(element(0x87, reason)),
});

export type InquiryBody = Static<typeof inquiryBody>;

/** Signed with the issuer's document key. */
export const inquiry = signedKind('inquiry', 0xec, labels.inquiry, inquiryBody);
