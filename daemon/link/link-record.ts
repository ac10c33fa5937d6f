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
  /** The cover is over the coin secret; its tag binds the message's digest to it. */
  'otp-secret': element(0x62, struct({ message, cover: optional(cover) })),
  /** The cover is over a plain record. */
  otp: element(0x63, struct({ cover })),
});
export type LinkRecord = Static<typeof linkRecord>;

/** Memory of its own, which is wiped. */
const ownMessage = element(message.tag, octets(1, linkLimits.messageBytes));

/** What `otp` pads. */
export const plainRecord = struct({ message: ownMessage, secret });
export type PlainRecord = Static<typeof plainRecord>;

const storedFields = {
  suite: element(0x80, suite),
  carries: element(0x81, oneOf({ word: 1, payment: 2 })),
  wire: element(0x82, octetsInPlace(1, linkLimits.recordBytes)),
  /** What `wire` does not show: of `otp-secret` the secret, of `otp` all. */
  kept: optional(element(0xa3, struct({ message: optional(ownMessage), secret }))),
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
  readonly kept?: Partial<PlainRecord>;
}

/** The same, and what `outboxRecord` writes for it. */
export interface MadeRecord extends StoredRecord {
  readonly stored: Uint8Array;
}

/** An outbox record that is to be made. */
export interface RecordDraft {
  readonly suite: Suite;
  readonly carries: 'word' | 'payment';
  /** In the clear within its frame; of `otp` there is none. */
  readonly message?: Uint8Array;
  /** Of the coin secret in the clear within its frame, under `aes`. */
  readonly secret?: Uint8Array;
  readonly cover?: Cover;
  readonly kept?: Partial<PlainRecord>;
}

/** What the codecs would write, in one piece of memory for all: each message is copied once. */
export function makeRecords(drafts: readonly RecordDraft[]): MadeRecord[] {
  const parts = drafts.map(partsOf);
  let end = 0;
  const ends = parts.map(({ storedBytes }) => (end += tlvBytes(outboxRecord.tag, storedBytes)));
  const memory = new Uint8Array(end);
  return parts.map((part, i) =>
    putRecord(memory.subarray(i === 0 ? 0 : ends[i - 1], ends[i]), part),
  );
}

interface RecordParts {
  readonly draft: RecordDraft;
  /** Of the record on the wire, what stands behind its message. */
  readonly tail: Uint8Array;
  readonly wireBytes: number;
  readonly keptTlv: Uint8Array;
  readonly storedBytes: number;
}

function partsOf(draft: RecordDraft): RecordParts {
  const { message: clear, secret: clearSecret, cover: covered, kept } = draft;
  const coverTlv = covered === undefined ? nothing : cover.encode(covered);
  const tail = clearSecret === undefined ? coverTlv : secret.encode(clearSecret);
  const messageBytes = clear === undefined ? 0 : tlvBytes(message.tag, clear.length);
  const wireBytes = messageBytes + tail.length;
  const wireTlvBytes = tlvBytes(linkRecord.kinds[draft.suite].tag, wireBytes);
  const keptTlv = kept === undefined ? nothing : storedFields.kept.encode(kept);
  const storedBytes = firstBytes + tlvBytes(storedFields.wire.tag, wireTlvBytes) + keptTlv.length;
  return { draft, tail, wireBytes, keptTlv, storedBytes };
}

function putRecord(stored: Uint8Array, parts: RecordParts): MadeRecord {
  const { draft, tail, wireBytes, keptTlv, storedBytes } = parts;
  const { suite: ofSuite, carries, message: clear, kept } = draft;
  const { tag } = linkRecord.kinds[ofSuite];
  let at = putTlvHead(stored, 0, outboxRecord.tag, storedBytes);
  stored.set(firstFields[ofSuite][carries], at);
  at += firstBytes;
  const wireAt = putTlvHead(stored, at, storedFields.wire.tag, tlvBytes(tag, wireBytes));
  at = putTlvHead(stored, wireAt, tag, wireBytes);
  if (clear !== undefined) {
    at = putTlvHead(stored, at, message.tag, clear.length);
    stored.set(clear, at);
    at += clear.length;
  }
  stored.set(tail, at);
  at += tail.length;
  stored.set(keptTlv, at);
  const wire = stored.subarray(wireAt, at);
  return { suite: ofSuite, carries, wire, stored, ...(kept !== undefined && { kept }) };
}

/** Throws TlvError for what `protect` did not make. */
export function decodeStored(bytes: Uint8Array): StoredRecord {
  return decodeElement(outboxRecord, bytes, 'outbox record');
}

function tlvBytes(tag: number, contentBytes: number): number {
  return tlvHeadBytes(tag, contentBytes) + contentBytes;
}
