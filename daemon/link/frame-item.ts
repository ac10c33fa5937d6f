/**
 * What is inside a frame: items one behind the other, at most 64. Rows and told messages are the
 * traffic; the rest is between the two ends of the link.
 */
import {
  choice,
  element,
  octets,
  octetsInPlace,
  oneOf,
  putTlvHead,
  readTlv,
  small,
  struct,
  text,
  tlvHeadBytes,
  type Static,
} from '../../applet-spec/tlv.ts';
import { certificate, signature } from '../../applet-spec/names.ts';
import { keyIds } from './key-ids.ts';
import { LinkError } from './link-error.ts';
import { linkLimits } from './link-limits.ts';
import { putRowId, rowId, rowIdBytes, rowIds } from './row-ids.ts';

/** Counts the traffic keys of one direction from 1. */
const epoch = small(0xffff_ffff);

const rowFields = {
  rowId: element(0x80, rowId),
  /** A view on the frame. */
  record: element(0xa1, octetsInPlace(1, linkLimits.recordBytes)),
} as const;

export const frameItem = choice({
  /** A row of the sender's outbox. */
  row: element(0x61, struct(rowFields)),
  /** A message that is told once. */
  told: element(0x62, octets(1, linkLimits.toldBytes)),
  /** These rows are durable here. */
  confirmed: element(0x63, rowIds(linkLimits.itemRowIds)),
  /** These rows cannot be read: their sender is to cover them anew, with other keys. */
  unreadable: element(
    0x64,
    struct({
      /** `used`: their keys were claimed before. `missing`: the device does not have them. */
      why: element(0x80, oneOf({ used: 1, missing: 2 })),
      rowIds: element(0x81, rowIds(linkLimits.itemRowIds)),
    }),
  ),
  /** The sender's next traffic key. */
  rekey: element(
    0x65,
    struct({
      epoch: element(0x80, epoch),
      keyIds: element(0x81, keyIds(linkLimits.trafficKeyIds)),
    }),
  ),
  /** The receiver has the key of this epoch. */
  rekeyed: element(0x66, struct({ epoch: element(0x80, epoch) })),
  /** It cannot have it; the sender takes another. */
  rekeyFailed: element(0x67, struct({ epoch: element(0x80, epoch) })),
  /** The first frame of each end: who it is, and its signature over the handshake. */
  proof: element(
    0x68,
    struct({ certificate: element(0x80, certificate), signature: element(0x81, signature) }),
  ),
  /** The last: why this end closes the link. */
  bye: element(0x69, struct({ why: element(0x80, text(256)) })),
  /**
   * These rows say nothing that this station understands; they stay in their sender's outbox, until
   * they are confirmed because this station has quarantined them.
   */
  notUnderstood: element(0x6a, rowIds(linkLimits.itemRowIds)),
});
export type FrameItem = Static<typeof frameItem>;

const rowIdTlvBytes = 2 + rowIdBytes;

/** How long the `row` item of a record of this length is. */
export function rowItemBytes(recordBytes: number): number {
  const content = rowContentBytes(recordBytes);
  return tlvHeadBytes(frameItem.kinds.row.tag, content) + content;
}

/** Writes a `row` item at `at` of a frame and returns where it ends: a record is copied once. */
export function putRowItem(frame: Uint8Array, at: number, row: bigint, record: Uint8Array): number {
  let offset = putTlvHead(frame, at, frameItem.kinds.row.tag, rowContentBytes(record.length));
  offset = putTlvHead(frame, offset, rowFields.rowId.tag, rowIdBytes);
  putRowId(frame, offset, row);
  offset = putTlvHead(frame, offset + rowIdBytes, rowFields.record.tag, record.length);
  frame.set(record, offset);
  return offset + record.length;
}

function rowContentBytes(recordBytes: number): number {
  return rowIdTlvBytes + tlvHeadBytes(rowFields.record.tag, recordBytes) + recordBytes;
}

/** Records are views on `plaintext`. Throws LinkError `frame-malformed`. */
export function decodeFrame(plaintext: Uint8Array): FrameItem[] {
  const items: FrameItem[] = [];
  try {
    for (let offset = 0; offset < plaintext.length;) {
      const tlv = readTlv(plaintext, offset);
      if (items.length === linkLimits.frameItems) throw new RangeError('too many items');
      items.push(frameItem.decodeTlv(tlv));
      offset = tlv.end;
    }
    if (items.length === 0) throw new RangeError('an empty frame');
  } catch (cause) {
    throw new LinkError('frame-malformed', 'a frame that nobody writes', { cause });
  }
  return items;
}
