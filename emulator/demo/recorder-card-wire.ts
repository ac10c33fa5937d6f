import { Tape } from './recorder-tape.ts';

/** One direction of a card's wire: the data fields follow each other without a gap. */
export interface ApduData {
  readonly data: Uint8Array;
  /** Why nothing could be read; undefined where something was, or nothing was sent. */
  readonly fault: string | undefined;
}

/**
 * The data fields of all commands on a vpcd wire, headers and length fields left out. So the
 * parts of a chain (CLA bit 0x10, ISO/IEC 7816-4 §5.3.3) stand joined, and also what is written in
 * pieces by commands of their own.
 */
export function readCommandData(toCard: Uint8Array): ApduData {
  return readFrames(toCard, commandData);
}

/**
 * The data fields of all responses, without their status words. So what is fetched in pieces
 * (61xx and GET RESPONSE, ISO/IEC 7816-4 §5.3.4) stands joined. ATRs are among them.
 */
export function readResponseData(toHost: Uint8Array): ApduData {
  return readFrames(toHost, (response) => response.subarray(0, -2));
}

/** vpcd: frames of a 16-bit big-endian length and a body. */
function readFrames(bytes: Uint8Array, dataOf: (body: Uint8Array) => Uint8Array): ApduData {
  const data = new Tape();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let at = 0;
  while (at + 2 <= bytes.length) {
    const end = at + 2 + view.getUint16(at);
    // A card drawn out within a frame leaves a part of it. That it is the first says: no vpcd.
    if (end > bytes.length && at === 0) break;
    data.append(dataOf(bytes.subarray(at + 2, end)));
    at = end;
  }
  const blind = at === 0 && bytes.length > 0;
  return { data: data.read(), fault: blind ? 'no vpcd frame' : undefined };
}

/** ISO/IEC 7816-4 §5.1: short and extended length fields. Controls, of one byte, have no data. */
function commandData(body: Uint8Array): Uint8Array {
  const [, , , , p3, high, low] = body;
  if (p3 === undefined || body.length === 5) return new Uint8Array();
  if (p3 !== 0) return body.subarray(5, 5 + p3);
  if (high === undefined || low === undefined || body.length === 7) return new Uint8Array();
  return body.subarray(7, 7 + high * 256 + low);
}
