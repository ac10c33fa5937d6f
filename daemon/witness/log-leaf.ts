/**
 * A leaf of a station's log (S6): money that moved in one step, the end of one payment, or both.
 * Its content follows from the stored rows alone, so that an audit makes it again.
 */
import { labels } from '../../applet-spec/labels.ts';
import { hash, money, stationName } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import {
  element,
  listOf,
  octets,
  oneOf,
  optional,
  struct,
  text,
  uint,
  type Static,
} from '../../applet-spec/tlv.ts';

/** Payment IDs, order IDs, and the operator's words. */
const referenceBytesMost = 0xffff;
/** A bill has 16 lines. */
const transfersMost = 64;
/** `receivable:` and the longest name of a user or station, with room. */
const accountBytesMost = 128;

const leafTransfer = struct({
  kind: element(0x80, text(32)),
  debit: element(0x81, text(accountBytesMost)),
  credit: element(0x82, text(accountBytesMost)),
  amount: element(0x83, money),
});

const endStates = { delivered: 1, undelivered: 2, refused: 3 } as const;

const endOfPayment = struct({
  state: element(0x80, oneOf(endStates)),
  /** SHA-256 of the stored payment. */
  payment: element(0x81, hash),
  /** SHA-256 of the word that ended it: receipt, or the issuer's refusal. */
  word: element(0x82, hash),
});
export type PaymentEnd = Static<typeof endOfPayment>;

export const logLeaf = struct({
  station: element(0x80, stationName),
  /** Of the transfers; the payment's ID where one ends. */
  reference: element(0x81, octets(0, referenceBytesMost)),
  timeMs: element(0x82, uint(8)),
  transfers: element(0xa3, listOf(element(0xa0, leafTransfer), 0, transfersMost)),
  end: optional(element(0xa4, endOfPayment)),
});
export type LogLeaf = Static<typeof logLeaf>;

/** `content`: SHA-256 of the stored payment. `word`: what ended it, receipt or refusal. */
export function paymentEnd(
  primitives: Primitives,
  state: PaymentEnd['state'],
  content: Uint8Array,
  word: Uint8Array,
): PaymentEnd {
  return { state, payment: content, word: primitives.sha256(word) };
}

const leafPrefix = Uint8Array.of(0);

/** RFC 6962 §2.1, over the label and the content. Throws TlvError. */
export function logLeafHash(primitives: Primitives, leaf: LogLeaf): Uint8Array {
  return primitives.sha256(leafPrefix, labels.logLeaf, logLeaf.encode(leaf));
}
