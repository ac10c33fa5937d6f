/**
 * CTAPHID framing (FIDO CTAP 2.1 §11.2), under which a card on USB HID carries APDUs without a
 * reader: 64-byte reports; a channel is allocated by INIT; a message is one initialisation packet
 * (command, length, 57 bytes) and continuation packets (sequence number, 59 bytes). Two vendor
 * commands are ours.
 */
import { CtaphidError } from './ctaphid-error.ts';

/**
 * Of the top-level HID collection, by which a card is told from a keyboard; a page of the vendor
 * range.
 */
export const hidUsage = { page: 0xff4b, usage: 0x01 } as const;

export const ctaphidCommands = {
  init: 0x06,
  /** Ours: a command APDU; answered by the response APDU. */
  apdu: 0x40,
  /**
   * Ours: one byte, 01 to power on or reset (answered by the ATR), 00 to power off (answered
   * empty).
   */
  power: 0x41,
  cancel: 0x11,
  keepalive: 0x3b,
  error: 0x3f,
} as const;

export const ctaphidPower = { off: 0x00, on: 0x01 } as const;

/** KEEPALIVE's one byte while a command runs. */
export const CTAPHID_PROCESSING = 0x01;

export const ctaphidErrors = {
  'invalid-command': 0x01,
  'invalid-length': 0x03,
  'invalid-sequence': 0x04,
  timeout: 0x05,
  busy: 0x06,
  'invalid-channel': 0x0b,
  other: 0x7f,
} as const;

export type CtaphidErrorName = keyof typeof ctaphidErrors;

export const CTAPHID_REPORT_BYTES = 64;
/** 57 + 128 × 59: sequence numbers have seven bits. */
export const CTAPHID_PAYLOAD_MOST = 7_609;
export const CTAPHID_BROADCAST = 0xffff_ffff;
export const CTAPHID_NONCE_BYTES = 8;
/**
 * INIT's answer: nonce, channel, protocol version 2, device version (three bytes), capabilities.
 */
export const CTAPHID_INIT_BYTES = 17;

const INIT_PAYLOAD = 57;
const CONTINUATION_PAYLOAD = 59;
/** Bit 7 of the fifth byte tells an initialisation packet from a continuation. */
const INITIAL = 0x80;

export interface CtaphidMessage {
  readonly channel: number;
  readonly command: number;
  readonly payload: Uint8Array;
}

/** The reports of a message. Throws RangeError above 7,609 bytes of payload. */
export function encodeCtaphid({ channel, command, payload }: CtaphidMessage): Uint8Array[] {
  if (payload.length > CTAPHID_PAYLOAD_MOST) {
    throw new RangeError(`a CTAPHID message holds ${CTAPHID_PAYLOAD_MOST} bytes at most`);
  }
  const first = report(channel);
  first[4] = INITIAL | command;
  first[5] = payload.length >> 8;
  first[6] = payload.length & 0xff;
  first.set(payload.subarray(0, INIT_PAYLOAD), 7);
  const reports = [first];
  for (let offset = INIT_PAYLOAD; offset < payload.length; offset += CONTINUATION_PAYLOAD) {
    const next = report(channel);
    next[4] = reports.length - 1;
    next.set(payload.subarray(offset, offset + CONTINUATION_PAYLOAD), 5);
    reports.push(next);
  }
  return reports;
}

function report(channel: number): Uint8Array {
  const bytes = new Uint8Array(CTAPHID_REPORT_BYTES);
  new DataView(bytes.buffer).setUint32(0, channel);
  return bytes;
}

/** One packet, as either end reads it. */
export type CtaphidPacket =
  | {
      readonly kind: 'initial';
      readonly channel: number;
      readonly command: number;
      readonly length: number;
      readonly data: Uint8Array;
    }
  | {
      readonly kind: 'continuation';
      readonly channel: number;
      readonly sequence: number;
      readonly data: Uint8Array;
    };

/** Throws CtaphidError `bad-report` unless there are 64 bytes. */
export function decodeCtaphidPacket(bytes: Uint8Array): CtaphidPacket {
  if (bytes.length !== CTAPHID_REPORT_BYTES) {
    throw new CtaphidError('bad-report', `a report of ${bytes.length} bytes`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const channel = view.getUint32(0);
  const type = view.getUint8(4);
  if ((type & INITIAL) === 0) {
    return { kind: 'continuation', channel, sequence: type, data: bytes.slice(5) };
  }
  const command = type & ~INITIAL;
  return { kind: 'initial', channel, command, length: view.getUint16(5), data: bytes.slice(7) };
}

/** A message of which packets are missing. */
export interface CtaphidPartial {
  readonly channel: number;
  readonly command: number;
  readonly length: number;
  readonly data: Uint8Array;
  /** Of the next continuation. */
  readonly sequence: number;
}

export type CtaphidStep =
  | { readonly kind: 'partial'; readonly partial: CtaphidPartial }
  | { readonly kind: 'message'; readonly message: CtaphidMessage };

/**
 * Adds a packet to what has come of its message. An initialisation packet starts anew, whatever
 * came before. Throws CtaphidError: bad-length, bad-sequence.
 */
export function joinCtaphid(
  partial: CtaphidPartial | undefined,
  packet: CtaphidPacket,
): CtaphidStep {
  if (packet.kind === 'initial') {
    const { channel, command, length, data } = packet;
    if (length > CTAPHID_PAYLOAD_MOST) {
      throw new CtaphidError('bad-length', `a message of ${length} bytes`);
    }
    return advance({ channel, command, length, data: data.slice(0, length), sequence: 0 });
  }
  if (partial?.sequence !== packet.sequence) {
    throw new CtaphidError('bad-sequence', `continuation ${packet.sequence} out of turn`);
  }
  const data = new Uint8Array(partial.data.length + packet.data.length);
  data.set(partial.data);
  data.set(packet.data, partial.data.length);
  const { channel, command, length, sequence } = partial;
  return advance({
    channel,
    command,
    length,
    data: data.slice(0, length),
    sequence: sequence + 1,
  });
}

function advance(partial: CtaphidPartial): CtaphidStep {
  const { channel, command, length, data } = partial;
  if (data.length < length) return { kind: 'partial', partial };
  return { kind: 'message', message: { channel, command, payload: data } };
}
