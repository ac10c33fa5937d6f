/**
 * How the driver and its `pcsclite` child write to each other on their socket pair: a 32-bit
 * big-endian length, a byte of form, and the rest. APDUs go as they are. Node's own channel between
 * processes costs a tenth of a millisecond more a round trip, on a machine that has just been idle.
 */
import { deserialize, serialize } from 'node:v8';
import { concatBytes } from '../../applet-spec/bytes.ts';
import type { FromPcscChild, ToPcscChild } from './pcsc-messages.ts';

/** Everything but the APDUs of these is a structured clone. */
const forms = { clone: 0, transmit: 1, transmitWhole: 2, answer: 3 } as const;
const HEAD_BYTES = 5;
/** The longest APDUs take 64 KiB; a list of readers a few hundred bytes each. */
const BODY_MOST = 1 << 20;

export function encodePcscFrame(message: ToPcscChild | FromPcscChild): Uint8Array {
  switch (message.kind) {
    case 'transmit':
      return frame(forms.transmit, message.command);
    case 'transmit-whole':
      return frame(forms.transmitWhole, message.command);
    case 'answer':
      return frame(forms.answer, message.response);
    default:
      return frame(forms.clone, serialize(message));
  }
}

function frame(form: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + body.length);
  new DataView(bytes.buffer).setUint32(0, body.length);
  bytes[4] = form;
  bytes.set(body, HEAD_BYTES);
  return bytes;
}

/** Cuts the stream into messages, however its chunks fall. */
export class PcscFrameReader {
  #rest: Uint8Array = new Uint8Array(0);

  /** What `chunk` completes, for the caller to check. Throws RangeError for what is no frame. */
  push(chunk: Uint8Array): unknown[] {
    const bytes = this.#rest.length === 0 ? chunk : concatBytes(this.#rest, chunk);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const messages: unknown[] = [];
    let at = 0;
    while (at + HEAD_BYTES <= bytes.length) {
      const length = view.getUint32(at);
      if (length > BODY_MOST) throw new RangeError(`a frame of ${length} bytes`);
      const end = at + HEAD_BYTES + length;
      if (end > bytes.length) break;
      messages.push(
        decode(view.getUint8(at + 4), Uint8Array.from(bytes.subarray(at + HEAD_BYTES, end))),
      );
      at = end;
    }
    this.#rest = Uint8Array.from(bytes.subarray(at));
    return messages;
  }
}

function decode(form: number, body: Uint8Array): unknown {
  switch (form) {
    case forms.clone:
      return deserialize(body);
    case forms.transmit:
      return { kind: 'transmit', command: body };
    case forms.transmitWhole:
      return { kind: 'transmit-whole', command: body };
    case forms.answer:
      return { kind: 'answer', response: body };
    default:
      throw new RangeError(`a frame of form ${form}`);
  }
}
