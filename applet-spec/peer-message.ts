/**
 * What A's host hands to B's, over whatever they like (S4): the payment that made their key, and
 * sealed records of kind `peer`, all of one epoch of the sender's card. A message longer than one
 * record is cut; each record's plaintext begins with 01 in the last and 00 in the others, so that
 * none can be cut off.
 */
import { concatBytes } from './bytes.ts';
import { limits } from './limits.ts';
import { hash } from './names.ts';
import { GCM_TAG_BYTES } from './primitive-input.ts';
import { RECORD_HEADER_BYTES } from './sealed-record.ts';
import { decodeElement, element, listOf, octets, struct, type Static } from './tlv.ts';

const overheadBytes = RECORD_HEADER_BYTES + GCM_TAG_BYTES;
const chunkBytesMost = limits.peerMessageBytes - 1;
/** The longest message: a little under 4 MiB. */
export const PEER_PLAINTEXT_BYTES_MOST = chunkBytesMost * limits.peerMessageRecords;

const peerMessageTag = 0x78;

export const peerMessage = element(
  peerMessageTag,
  struct({
    paymentId: element(0x80, hash),
    records: element(
      0xa1,
      listOf(
        element(0x80, octets(overheadBytes + 1, overheadBytes + limits.peerMessageBytes)),
        1,
        limits.peerMessageRecords,
      ),
    ),
  }),
);
export type PeerMessage = Static<typeof peerMessage>;

/** Whether these are the first bytes of a message whose end is missing. */
export function isCutShort(bytes: Uint8Array): boolean {
  const [tag, first] = bytes;
  if (tag !== peerMessageTag) return false;
  if (first === undefined) return true;
  const lengthBytes = first < 0x80 ? 0 : first - 0x80;
  // 80 is no length, and no message is longer than four bytes can say.
  if (first === 0x80 || lengthBytes > 4) return false;
  const given = bytes.subarray(2, 2 + lengthBytes);
  if (given.length < lengthBytes) return true;
  const length = lengthBytes === 0 ? first : given.reduce((sum, byte) => sum * 256 + byte, 0);
  return bytes.length < 2 + lengthBytes + length;
}

/** Throws TlvError. */
export function decodePeerMessage(bytes: Uint8Array): PeerMessage {
  return decodeElement(peerMessage, bytes, 'message');
}

/** The records' plaintexts, at least one. Throws RangeError beyond PEER_PLAINTEXT_BYTES_MOST. */
export function cutPeerPlaintext(plaintext: Uint8Array): Uint8Array[] {
  if (plaintext.length > PEER_PLAINTEXT_BYTES_MOST) {
    throw new RangeError(`a message of ${plaintext.length} bytes`);
  }
  const chunks: Uint8Array[] = [];
  let offset = 0;
  for (; plaintext.length - offset > chunkBytesMost; offset += chunkBytesMost) {
    const chunk = plaintext.subarray(offset, offset + chunkBytesMost);
    chunks.push(concatBytes(Uint8Array.of(0), chunk));
  }
  chunks.push(concatBytes(Uint8Array.of(1), plaintext.subarray(offset)));
  return chunks;
}

/** Undefined where a record is missing at the end, or follows the last. */
export function joinPeerPlaintext(chunks: readonly Uint8Array[]): Uint8Array | undefined {
  const whole = chunks.every((chunk, i) => chunk[0] === (i === chunks.length - 1 ? 1 : 0));
  if (!whole || chunks.length === 0) return undefined;
  return concatBytes(...chunks.map((chunk) => chunk.subarray(1)));
}
