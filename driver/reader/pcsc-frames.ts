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

const nothing = new Uint8Array(0);

/** Cuts the stream into messages, however its chunks fall. */
export class PcscFrameReader {
  #rest: Uint8Array = nothing;

  /** What `chunk` completes, for the caller to check. Throws RangeError for what is no frame. */
  push(chunk: Uint8Array): unknown[] {
    const bytes = this.#rest.length === 0 ? chunk : concatBytes(this.#rest, chunk);
    const messages: unknown[] = [];
    let at = 0;
    while (at + HEAD_BYTES <= bytes.length) {
      const end = at + HEAD_BYTES + bodyLength(bytes, at);
      if (end > bytes.length) break;
      messages.push(decode(bytes[at + 4] ?? 0, copyOf(bytes, at + HEAD_BYTES, end)));
      at = end;
    }
    this.#rest = at === bytes.length ? nothing : copyOf(bytes, at, bytes.length);
    return messages;
  }
}

function bodyLength(bytes: Uint8Array, at: number): number {
  const length = new DataView(bytes.buffer, bytes.byteOffset + at).getUint32(0);
  if (length > BODY_MOST) throw new RangeError(`a frame of ${length} bytes`);
  return length;
}

/** Never a Buffer, nor a part of one. */
function copyOf(bytes: Uint8Array, start: number, end: number): Uint8Array {
  return new Uint8Array(bytes.subarray(start, end));
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
