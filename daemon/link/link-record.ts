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
  octets,
  octetsInPlace,
  oneOf,
  optional,
  putTlvHead,
  struct,
  tlvHeadBytes,
  type Static,
} from '../../applet-spec/tlv.ts';
import { suite, type Suite } from '../../applet-spec/names.ts';
import { keyIds } from './key-ids.ts';
import { linkLimits } from './link-limits.ts';

const nothing = new Uint8Array(0);
/** A view on the record: what is in it is copied when the message is decoded. */
const message = element(0x80, octetsInPlace(1, linkLimits.messageBytes));
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

/** What `otp` pads, and what stays at home: memory of its own, which is wiped. */
export const plainRecord = struct({
  message: element(message.tag, octets(1, linkLimits.messageBytes)),
  secret,
});
export type PlainRecord = Static<typeof plainRecord>;

const storedFields = {
  suite: element(0x80, suite),
  carries: element(0x81, oneOf({ word: 1, payment: 2 })),
  wire: element(0x82, octetsInPlace(1, linkLimits.recordBytes)),
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

const firstBytes = firstFields.aes.word.length;

function firstOf(ofSuite: Suite) {
  const suiteTlv = storedFields.suite.encode(ofSuite);
  return {
    word: concatBytes(suiteTlv, storedFields.carries.encode('word')),
    payment: concatBytes(suiteTlv, storedFields.carries.encode('payment')),
  };
}

/** An outbox record, taken apart. */
export interface StoredRecord {
  readonly suite: Suite;
  readonly carries: 'word' | 'payment';
  /** A link record; of a record that was decoded, a view on it. */
  readonly wire: Uint8Array;
  readonly kept?: PlainRecord;
}

/** The same, and what `outboxRecord` writes for it. */
export interface MadeRecord extends StoredRecord {
  readonly stored: Uint8Array;
}

/** Outbox records of `aes`: each message is copied once, into one piece of memory for all. */
export function makeAesRecords(plains: readonly PlainRecord[]): MadeRecord[] {
  const { tag } = linkRecord.kinds.aes;
  const contentBytes = (plain: PlainRecord): number => {
    const secretBytes = plain.secret === undefined ? 0 : tlvBytes(secret.tag, plain.secret.length);
    return tlvBytes(message.tag, plain.message.length) + secretBytes;
  };
  return allotted(
    plains,
    (plain) => storedBytes(tlvBytes(tag, contentBytes(plain)), 0),
    (stored, plain) => {
      const carries = carriedBy(plain);
      const length = contentBytes(plain);
      const wireAt = putStoredHead(stored, { suite: 'aes', carries }, tlvBytes(tag, length), 0);
      let at = putTlvHead(stored, wireAt, tag, length);
      at = putTlvHead(stored, at, message.tag, plain.message.length);
      stored.set(plain.message, at);
      if (plain.secret !== undefined) {
        at = putTlvHead(stored, at + plain.message.length, secret.tag, plain.secret.length);
        stored.set(plain.secret, at);
      }
      return { suite: 'aes', carries, wire: stored.subarray(wireAt), stored };
    },
  );
}

/** Outbox records of covered ones, in one piece of memory for all. */
export function makeRecords(records: readonly StoredRecord[]): MadeRecord[] {
  const drafts = records.map((record) => {
    const kept = record.kept === undefined ? nothing : storedFields.kept.encode(record.kept);
    return { record, kept };
  });
  return allotted(
    drafts,
    ({ record, kept }) => storedBytes(record.wire.length, kept.length),
    (stored, { record, kept }) => {
      const wireAt = putStoredHead(stored, record, record.wire.length, kept.length);
      stored.set(record.wire, wireAt);
      stored.set(kept, wireAt + record.wire.length);
      return { ...record, stored };
    },
  );
}

export function carriedBy({ secret: coinSecret }: PlainRecord): 'word' | 'payment' {
  return coinSecret === undefined ? 'word' : 'payment';
}

/** Throws TlvError for what `protect` did not make. */
export function decodeStored(bytes: Uint8Array): StoredRecord {
  return decodeElement(outboxRecord, bytes, 'outbox record');
}

/** Writes all that stands in front of the wire part; returns where that begins. */
function putStoredHead(
  stored: Uint8Array,
  { suite: ofSuite, carries }: Pick<StoredRecord, 'suite' | 'carries'>,
  wireBytes: number,
  keptBytes: number,
): number {
  const at = putTlvHead(stored, 0, outboxRecord.tag, storedContentBytes(wireBytes, keptBytes));
  stored.set(firstFields[ofSuite][carries], at);
  return putTlvHead(stored, at + firstBytes, storedFields.wire.tag, wireBytes);
}

function storedBytes(wireBytes: number, keptBytes: number): number {
  return tlvBytes(outboxRecord.tag, storedContentBytes(wireBytes, keptBytes));
}

function storedContentBytes(wireBytes: number, keptBytes: number): number {
  return firstBytes + tlvBytes(storedFields.wire.tag, wireBytes) + keptBytes;
}

/** What `make` makes of each item and its bytes: views on memory allotted once for the batch. */
function allotted<T, R>(
  items: readonly T[],
  bytesOf: (item: T) => number,
  make: (bytes: Uint8Array, item: T) => R,
): R[] {
  let end = 0;
  const ends = items.map((item) => (end += bytesOf(item)));
  const memory = new Uint8Array(end);
  return items.map((item, i) => make(memory.subarray(i === 0 ? 0 : ends[i - 1], ends[i]), item));
}

function tlvBytes(tag: number, contentBytes: number): number {
  return tlvHeadBytes(tag, contentBytes) + contentBytes;
}
