/**
 * Outbox records: what goes over the link for one row, made once and resent byte for byte, and what
 * stays at home with it until the neighbour has confirmed.
 *
 * Why the plaintext stays: pads open a record once. A receiver that claimed them and stopped before
 * it stored the payment, or whose device lost them, can never read these bytes; the sender then
 * covers the same plaintext with *other* fresh keys. Each pad still covers one plaintext, once. The
 * store seals both forms alike and erases both with the row (design §4).
 */
import { concatBytes } from '../../applet-spec/bytes.ts';
import {
  decodeElement,
  choice,
  element,
  encodeTlvHead,
  octets,
  oneOf,
  optional,
  struct,
  type Static,
} from '../../applet-spec/tlv.ts';
import { suite, type Suite } from '../../applet-spec/names.ts';
import { keyIds } from './key-ids.ts';
import { linkLimits } from './link-limits.ts';

const nothing = new Uint8Array(0);
const message = element(0x80, octets(1, linkLimits.messageBytes));
const secret = optional(element(0x81, octets(32)));

/** A one-time pad over `ciphertext`, and a one-time Poly1305 tag. The keys are the sender's. */
const cover = element(
  0xa2,
  struct({
    padIds: element(0x80, keyIds(linkLimits.recordKeyIds)),
    macIds: element(0x81, keyIds(linkLimits.recordKeyIds)),
    ciphertext: element(0x82, octets(1, linkLimits.messageBytes + 64)),
    tag: element(0x83, octets(16)),
  }),
);
export type Cover = Static<typeof cover>;

/** On the wire, inside a frame. One kind for each suite: none passes for another. */
export const linkRecord = choice({
  aes: element(0x61, struct({ message, secret })),
  /** The cover is over the coin secret; its tag authenticates the message too. */
  'otp-secret': element(0x62, struct({ message, cover: optional(cover) })),
  /** The cover is over a plain record. */
  otp: element(0x63, struct({ cover })),
});
export type LinkRecord = Static<typeof linkRecord>;

/** What `otp` pads, and what stays at home. */
export const plainRecord = struct({ message, secret });
export type PlainRecord = Static<typeof plainRecord>;

const storedFields = {
  suite: element(0x80, suite),
  carries: element(0x81, oneOf({ word: 1, payment: 2 })),
  wire: element(0x82, octets(1, linkLimits.recordBytes)),
  /** What `wire` does not show: of `otp-secret` and `otp`. */
  kept: optional(element(0xa3, plainRecord)),
} as const;

/** In the outbox. */
export const outboxRecord = element(0x6f, struct(storedFields));

/** `suite` and `carries`, which say one of six things. */
const firstFields = {
  aes: firstOf('aes'),
  'otp-secret': firstOf('otp-secret'),
  otp: firstOf('otp'),
} as const;

function firstOf(ofSuite: Suite) {
  const suiteTlv = storedFields.suite.encode(ofSuite);
  return {
    word: concatBytes(suiteTlv, storedFields.carries.encode('word')),
    payment: concatBytes(suiteTlv, storedFields.carries.encode('payment')),
  };
}

/** An outbox record, taken apart. Its bytes are joined where they go: each is copied once. */
export interface StoredRecord {
  readonly suite: Suite;
  readonly carries: 'word' | 'payment';
  /** A link record, in pieces. */
  readonly wire: readonly Uint8Array[];
  readonly kept?: PlainRecord;
}

/** What `linkRecord` would write, in pieces. */
export function aesPieces(plain: PlainRecord): readonly Uint8Array[] {
  const secretTlv = plain.secret === undefined ? nothing : secret.encode(plain.secret);
  const messageHead = encodeTlvHead(message.tag, plain.message.length);
  const length = messageHead.length + plain.message.length + secretTlv.length;
  const head = encodeTlvHead(linkRecord.kinds.aes.tag, length);
  return [concatBytes(head, messageHead), plain.message, secretTlv];
}

/** What `outboxRecord` would write. */
export function encodeStored({ suite: ofSuite, carries, wire, kept }: StoredRecord): Uint8Array {
  const wireBytes = sizeOf(wire);
  const first = firstFields[ofSuite][carries];
  const wireHead = encodeTlvHead(storedFields.wire.tag, wireBytes);
  const keptTlv = kept === undefined ? nothing : storedFields.kept.encode(kept);
  const length = first.length + wireHead.length + wireBytes + keptTlv.length;
  const head = encodeTlvHead(outboxRecord.tag, length);
  return concatBytes(head, first, wireHead, ...wire, keptTlv);
}

/** Throws TlvError for what `protect` did not make. */
export function decodeStored(bytes: Uint8Array): StoredRecord {
  const stored = decodeElement(outboxRecord, bytes, 'outbox record');
  return { ...stored, wire: [stored.wire] };
}

export function sizeOf(pieces: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const piece of pieces) bytes += piece.length;
  return bytes;
}
