import { Tape } from './recorder-tape.ts';

/** One direction of a WebSocket, unmasked; the payloads follow each other without a gap. */
export interface WebSocketPayloads {
  /** Text and binary messages, their fragments joined. */
  readonly messages: Uint8Array;
  /** Close, ping and pong. */
  readonly controls: Uint8Array;
  /** Why the rest could not be read; undefined where all was. */
  readonly fault: string | undefined;
}

export interface WebSocketWire {
  readonly toServer: WebSocketPayloads;
  readonly toClient: WebSocketPayloads;
}

const headEnd = [0x0d, 0x0a, 0x0d, 0x0a] as const;
const maxHeadBytes = 65_536;

/** Reads both directions of one connection that starts with the HTTP upgrade of RFC 6455 §4. */
export function readWebSocket(toServer: Uint8Array, toClient: Uint8Array): WebSocketWire {
  const answer = headOf(toClient);
  const isHttp = answer?.startsWith('HTTP/1.1 ') ?? false;
  const accepted = answer?.startsWith('HTTP/1.1 101 ') ?? false;
  // A refused upgrade is plain HTTP in both directions, which the search of the wire itself covers.
  if (isHttp && !accepted) return { toServer: nothing(), toClient: nothing() };
  return {
    toServer: readDirection(toServer, 'GET '),
    toClient: readDirection(toClient, 'HTTP/1.1 101 '),
  };
}

function nothing(fault?: string): WebSocketPayloads {
  return { messages: new Uint8Array(), controls: new Uint8Array(), fault };
}

function readDirection(bytes: Uint8Array, opening: string): WebSocketPayloads {
  if (bytes.length === 0) return nothing();
  const head = headOf(bytes);
  if (head?.startsWith(opening) !== true) return nothing('no WebSocket upgrade');
  return readFrames(bytes.subarray(head.length));
}

/** The HTTP head with its blank line; undefined where there is none. */
function headOf(bytes: Uint8Array): string | undefined {
  const start = bytes.subarray(0, maxHeadBytes);
  const end = start.findIndex((_, at) => headEnd.every((byte, i) => start[at + i] === byte));
  if (end === -1) return undefined;
  return String.fromCharCode(...start.subarray(0, end + headEnd.length));
}

/** RFC 6455 §5.2. A connection cut within a frame leaves a part of it, which is read too. */
function readFrames(bytes: Uint8Array): WebSocketPayloads {
  const messages = new Tape();
  const controls = new Tape();
  const done = (fault?: string): WebSocketPayloads => ({
    messages: messages.read(),
    controls: controls.read(),
    fault,
  });
  for (let at = 0; at < bytes.length;) {
    const frame = readFrameHeader(bytes, at);
    if (frame === undefined) return done();
    if (frame.fault !== undefined) return done(frame.fault);
    const start = at + frame.headerBytes;
    const end = start + frame.payloadBytes;
    const payload = unmasked(bytes.subarray(start, end), frame.mask);
    if (frame.opcode <= 2) messages.append(payload);
    else controls.append(payload);
    at = end;
  }
  return done();
}

interface FrameHeader {
  readonly headerBytes: number;
  readonly payloadBytes: number;
  readonly opcode: number;
  readonly mask: Uint8Array | undefined;
  readonly fault: string | undefined;
}

/** undefined where the header is cut off. */
function readFrameHeader(bytes: Uint8Array, at: number): FrameHeader | undefined {
  const first = bytes[at];
  const second = bytes[at + 1];
  if (first === undefined || second === undefined) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, bytes.length - at);
  const shortLength = second & 0x7f;
  const lengthBytes = shortLength === 127 ? 8 : shortLength === 126 ? 2 : 0;
  const maskBytes = (second & 0x80) === 0 ? 0 : 4;
  const headerBytes = 2 + lengthBytes + maskBytes;
  if (view.byteLength < headerBytes) return undefined;
  const length =
    lengthBytes === 8
      ? Number(view.getBigUint64(2))
      : lengthBytes === 2
        ? view.getUint16(2)
        : shortLength;
  const opcode = first & 0x0f;
  const mask =
    maskBytes === 0 ? undefined : bytes.subarray(at + headerBytes - maskBytes, at + headerBytes);
  return { headerBytes, payloadBytes: length, opcode, mask, fault: faultOf(first, opcode) };
}

function faultOf(first: number, opcode: number): string | undefined {
  if ((first & 0x40) !== 0) return 'a compressed frame';
  if ((first & 0x30) !== 0) return 'a frame of an unknown extension';
  return opcode <= 2 || (opcode >= 8 && opcode <= 10) ? undefined : `a frame of opcode ${opcode}`;
}

function unmasked(payload: Uint8Array, mask: Uint8Array | undefined): Uint8Array {
  if (mask === undefined) return payload;
  const clear = new Uint8Array(payload.length);
  for (let i = 0; i < payload.length; i++) {
    clear[i] = (payload[i] as number) ^ (mask[i & 3] as number);
  }
  return clear;
}
