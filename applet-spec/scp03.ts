/**
 * GlobalPlatform SCP03 (Amendment D) for both sides, as pure functions over a channel's state: each
 * returns the next state and never changes the one it was given. Keytoll uses S16 at level 33
 * alone; the other levels and S8 are here because real cards' recorded exchanges, our vectors, use
 * them.
 */
import type { CommandApdu, ResponseApdu } from './apdu.ts';
import { EXTENDED_DATA_MOST, EXTENDED_NE_MOST, SHORT_DATA_MOST, SHORT_NE_MOST } from './apdu.ts';
import { concatBytes, equalBytes, freshBytes, uintToBytes } from './bytes.ts';
import type { Primitives } from './primitives.ts';
import { Scp03Error } from './scp03-error.ts';
import type { MacBytes, SessionKeys } from './scp03-keys.ts';

/** Amendment D §7.1.2.3: C-MAC 01, C-DECRYPTION 02, R-MAC 10, R-ENCRYPTION 20. */
export const securityLevels = [0x01, 0x03, 0x11, 0x13, 0x33] as const;
export type SecurityLevel = (typeof securityLevels)[number];
export const keytollSecurityLevel = 0x33;

const commandDecryption = 0x02;
const responseMac = 0x10;
const responseEncryption = 0x20;

/** CLA bit 3, GlobalPlatform 2.3.1 §11.1.4: secure messaging of GlobalPlatform's own format. */
export const SECURE_MESSAGING_BIT = 0x04;
/** In CLA, all but the class (bit 8) and the logical channel (0 to 3). */
const otherClaBits = 0x7c;

/**
 * A session's last command number. A Java Card counts it in one 4-byte field; nobody gets there.
 */
export const SESSION_COMMANDS_MOST = 0xffff_ffffn;

export interface OpenChannel {
  readonly state: 'open';
  readonly level: SecurityLevel;
  readonly macBytes: MacBytes;
  readonly keys: SessionKeys;
  /** The MAC chaining value: the last command's whole C-MAC, 16 bytes. */
  readonly chaining: Uint8Array;
  /** The encryption counter: commands so far, EXTERNAL AUTHENTICATE not counted. */
  readonly counter: bigint;
}

/** Holds no keys: after a failed MAC there is nothing left to go on with. */
export interface ClosedChannel {
  readonly state: 'closed';
}
export const closedChannel: ClosedChannel = { state: 'closed' };

export type UnwrappedCommand =
  | { readonly verdict: 'authentic'; readonly channel: OpenChannel; readonly command: CommandApdu }
  | { readonly verdict: 'closed'; readonly channel: ClosedChannel };

export type UnwrappedResponse =
  | {
      readonly answer: 'authentic';
      readonly channel: OpenChannel;
      readonly data: Uint8Array;
      readonly sw: number;
    }
  /** No MAC by rule: a level without R-MAC, or an error status word. It proves nothing. */
  | {
      readonly answer: 'unprotected';
      readonly channel: OpenChannel;
      readonly data: Uint8Array;
      readonly sw: number;
    }
  | { readonly answer: 'forged'; readonly channel: ClosedChannel };

export type CardAnswer =
  | {
      readonly answer: 'authentic';
      readonly channel: OpenChannel;
      readonly data: Uint8Array;
      readonly sw: number;
    }
  /** `sw` is hearsay, for the log. */
  | { readonly answer: 'unknown'; readonly channel: ClosedChannel; readonly sw: number };

/**
 * Off-card side. The command is wrapped whole: up to 65,535 bytes of wrapped data, chained
 * afterwards. Ne becomes the most its form can ask. Throws Scp03Error `data-too-long`,
 * `session-exhausted`; RangeError for a class byte that is secured or chained already.
 */
export function wrapCommand(
  primitives: Primitives,
  channel: OpenChannel,
  command: CommandApdu,
): { readonly channel: OpenChannel; readonly command: CommandApdu } {
  if ((command.cla & otherClaBits) !== 0)
    throw new RangeError('only a plain command can be wrapped');
  const counter = nextCounter(channel);
  const encrypts = (channel.level & commandDecryption) !== 0 && command.data.length > 0;
  if (wrappedLength(command.data.length, encrypts, channel.macBytes) > EXTENDED_DATA_MOST) {
    throw new Scp03Error('data-too-long', `${command.data.length} bytes cannot be wrapped`);
  }
  const data = encrypts
    ? encrypt(primitives, channel.keys.sEnc, commandIv(counter), command.data)
    : command.data;
  const secured = { ...command, cla: command.cla | SECURE_MESSAGING_BIT, data };
  const mac = commandMac(primitives, channel, secured);
  const wrapped = concatBytes(data, mac.subarray(0, channel.macBytes));
  const ne = command.ne === undefined ? {} : { ne: widestNe(wrapped.length, command.ne) };
  return {
    channel: { ...channel, chaining: mac, counter },
    command: { ...secured, data: wrapped, ...ne },
  };
}

/**
 * Card side, on a whole command (a chain joined). Anything but a good MAC and padding closes the
 * session.
 */
export function unwrapCommand(
  primitives: Primitives,
  channel: OpenChannel,
  command: CommandApdu,
): UnwrappedCommand {
  const closed = { verdict: 'closed', channel: closedChannel } as const;
  const end = command.data.length - channel.macBytes;
  if ((command.cla & otherClaBits) !== SECURE_MESSAGING_BIT || end < 0) return closed;
  if (channel.counter >= SESSION_COMMANDS_MOST) return closed;
  const data = command.data.subarray(0, end);
  const mac = commandMac(primitives, channel, { ...command, data });
  if (!equalBytes(mac.subarray(0, channel.macBytes), command.data.subarray(end))) return closed;
  const counter = channel.counter + 1n;
  const decrypts = (channel.level & commandDecryption) !== 0 && data.length > 0;
  const plain = decrypts ? decrypt(primitives, channel.keys.sEnc, commandIv(counter), data) : data;
  if (plain === undefined) return closed;
  return {
    verdict: 'authentic',
    channel: { ...channel, chaining: mac, counter },
    command: { ...command, cla: command.cla & ~SECURE_MESSAGING_BIT, data: plain },
  };
}

/**
 * Card side, after `unwrapCommand` of the command answered. Errors leave without data and without
 * MAC (Amendment D §6.2.5). Throws RangeError for an error status word with data, Scp03Error
 * `data-too-long`.
 */
export function wrapResponse(
  primitives: Primitives,
  channel: OpenChannel,
  response: ResponseApdu,
): ResponseApdu {
  const { data, sw } = response;
  if (!carriesMac(sw) && data.length > 0) throw new RangeError('an error carries no data');
  if (!carriesMac(sw) || (channel.level & responseMac) === 0) return response;
  const encrypts = (channel.level & responseEncryption) !== 0 && data.length > 0;
  if (wrappedLength(data.length, encrypts, channel.macBytes) > EXTENDED_DATA_MOST) {
    throw new Scp03Error('data-too-long', `${data.length} bytes cannot be answered`);
  }
  const sent = encrypts
    ? encrypt(primitives, channel.keys.sEnc, responseIv(channel.counter), data)
    : data;
  return { data: concatBytes(sent, responseMacOf(primitives, channel, sent, sw)), sw };
}

/** Off-card side, GlobalPlatform's rules; on a whole answer. Stations use `unwrapAnswer`. */
export function unwrapResponse(
  primitives: Primitives,
  channel: OpenChannel,
  response: ResponseApdu,
): UnwrappedResponse {
  const { data, sw } = response;
  if (!carriesMac(sw) || (channel.level & responseMac) === 0) {
    return { answer: 'unprotected', channel, data, sw };
  }
  const forged = { answer: 'forged', channel: closedChannel } as const;
  const end = data.length - channel.macBytes;
  if (end < 0) return forged;
  const received = data.subarray(0, end);
  const mac = responseMacOf(primitives, channel, received, sw);
  if (!equalBytes(mac, data.subarray(end))) return forged;
  const decrypts = (channel.level & responseEncryption) !== 0 && received.length > 0;
  const plain = decrypts
    ? decrypt(primitives, channel.keys.sEnc, responseIv(channel.counter), received)
    : received;
  return plain === undefined ? forged : { answer: 'authentic', channel, data: plain, sw };
}

/**
 * The station's side (design §5): an answer without a valid MAC means that what the card did is
 * unknown, never that it refused. Then the session ends; the station asks the card's journal in a
 * new one.
 */
export function unwrapAnswer(
  primitives: Primitives,
  channel: OpenChannel,
  response: ResponseApdu,
): CardAnswer {
  if (channel.level !== keytollSecurityLevel) throw new RangeError('answers are read at level 33');
  const unwrapped = unwrapResponse(primitives, channel, response);
  if (unwrapped.answer === 'authentic') return unwrapped;
  return { answer: 'unknown', channel: closedChannel, sw: response.sw };
}

/**
 * Amendment D §6.2.4: CMAC over chaining value ‖ CLA INS P1 P2 ‖ final Lc ‖ data, the logical
 * channel taken as 0. Lc is one byte up to 255, else three (00 hi lo), however the command then
 * travels.
 */
export function commandMac(
  primitives: Primitives,
  channel: Pick<OpenChannel, 'keys' | 'chaining' | 'macBytes'>,
  secured: CommandApdu,
): Uint8Array {
  const { cla, ins, p1, p2, data } = secured;
  const length = data.length + channel.macBytes;
  const lc = length <= SHORT_DATA_MOST ? [length] : [0, length >> 8, length & 0xff];
  const header = Uint8Array.of(cla & 0xfc, ins, p1, p2, ...lc);
  return primitives.aesCmac(channel.keys.sMac, concatBytes(channel.chaining, header, data));
}

/** Amendment D §6.2.5: bound to the command by its MAC chaining value. */
function responseMacOf(
  primitives: Primitives,
  channel: OpenChannel,
  data: Uint8Array,
  sw: number,
): Uint8Array {
  const status = Uint8Array.of(sw >> 8, sw & 0xff);
  const input = concatBytes(channel.chaining, data, status);
  return primitives.aesCmac(channel.keys.sRmac, input).slice(0, channel.macBytes);
}

/** 9000 and the warnings 62xx and 63xx; every other status word is an error. */
function carriesMac(sw: number): boolean {
  return sw === 0x9000 || sw >> 8 === 0x62 || sw >> 8 === 0x63;
}

function nextCounter(channel: OpenChannel): bigint {
  if (channel.counter >= SESSION_COMMANDS_MOST) {
    throw new Scp03Error('session-exhausted', 'the session has had its last command');
  }
  return channel.counter + 1n;
}

/** Amendment D §6.2.6: the counter as one block. */
function commandIv(counter: bigint): Uint8Array {
  return uintToBytes(counter, 16);
}

/** Amendment D §6.2.7: the same, its first byte 80. */
function responseIv(counter: bigint): Uint8Array {
  const block = uintToBytes(counter, 16);
  block[0] = 0x80;
  return block;
}

function encrypt(
  primitives: Primitives,
  sEnc: Uint8Array,
  ivBlock: Uint8Array,
  plain: Uint8Array,
): Uint8Array {
  const padded = freshBytes(paddedLength(plain.length));
  padded.set(plain);
  padded[plain.length] = 0x80;
  return primitives.aesCbcEncrypt(sEnc, primitives.aesEcbEncryptBlock(sEnc, ivBlock), padded);
}

/** undefined where the blocks or the padding are wrong. */
function decrypt(
  primitives: Primitives,
  sEnc: Uint8Array,
  ivBlock: Uint8Array,
  encrypted: Uint8Array,
): Uint8Array | undefined {
  if (encrypted.length % 16 !== 0) return undefined;
  const iv = primitives.aesEcbEncryptBlock(sEnc, ivBlock);
  const padded = primitives.aesCbcDecrypt(sEnc, iv, encrypted);
  const end = padded.findLastIndex((byte) => byte !== 0);
  if (end < padded.length - 16 || padded[end] !== 0x80) return undefined;
  return padded.subarray(0, end);
}

/** ISO/IEC 9797-1 padding method 2: 80, then zeros to the end of the block. */
function paddedLength(length: number): number {
  return (Math.floor(length / 16) + 1) * 16;
}

function wrappedLength(length: number, encrypts: boolean, macBytes: MacBytes): number {
  return (encrypts ? paddedLength(length) : length) + macBytes;
}

/** The answer grows by padding and MAC, so the plain Ne would cut it. */
function widestNe(wrappedBytes: number, ne: number): number {
  return wrappedBytes > SHORT_DATA_MOST || ne > SHORT_NE_MOST ? EXTENDED_NE_MOST : SHORT_NE_MOST;
}
