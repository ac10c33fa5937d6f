/**
 * The vpcd protocol, by which a card that is a program plugs into a virtual reader: the card
 * connects as a client; each frame is a 16-bit big-endian length and a body. From the reader, a
 * body of one byte is a control, anything longer a command APDU; from the card come the ATR and
 * response APDUs, in the order in which they were asked for.
 */

/** Power off, on and reset are not answered; get ATR is, by the ATR. */
export const vpcdControls = { powerOff: 0, powerOn: 1, reset: 2, getAtr: 4 } as const;

export const VPCD_BODY_MOST = 65_535;

/** Throws RangeError for an empty body and above 65,535 bytes: neither has a meaning. */
export function encodeVpcdFrame(body: Uint8Array): Uint8Array {
  if (body.length === 0 || body.length > VPCD_BODY_MOST) {
    throw new RangeError(`a vpcd frame holds 1 to ${VPCD_BODY_MOST} bytes, not ${body.length}`);
  }
  const frame = new Uint8Array(2 + body.length);
  frame[0] = body.length >> 8;
  frame[1] = body.length & 0xff;
  frame.set(body, 2);
  return frame;
}

/**
 * Cuts a byte stream into bodies by their lengths, however the chunks fall. Holds at most one
 * frame.
 */
export class VpcdFrameReader {
  readonly #frame = new Uint8Array(2 + VPCD_BODY_MOST);
  #filled = 0;

  /**
   * The bodies that `chunk` completes; an empty frame is an empty body, for the caller to refuse.
   */
  push(chunk: Uint8Array): Uint8Array[] {
    const bodies: Uint8Array[] = [];
    let offset = 0;
    while (offset < chunk.length) {
      const wanted = this.#filled < 2 ? 2 : 2 + this.#bodyLength();
      const part = chunk.subarray(offset, offset + wanted - this.#filled);
      this.#frame.set(part, this.#filled);
      this.#filled += part.length;
      offset += part.length;
      if (this.#filled >= 2 && this.#filled === 2 + this.#bodyLength()) {
        bodies.push(this.#frame.slice(2, this.#filled));
        this.#filled = 0;
      }
    }
    return bodies;
  }

  #bodyLength(): number {
    return ((this.#frame[0] ?? 0) << 8) | (this.#frame[1] ?? 0);
  }
}
