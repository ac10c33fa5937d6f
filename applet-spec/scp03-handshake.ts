/**
 * Mutual authentication of SCP03: INITIALIZE UPDATE and EXTERNAL AUTHENTICATE (Amendment D §7.1),
 * each side as two pure functions.
 */
import type { CommandApdu } from './apdu.ts';
import { concatBytes, equalBytes, uintToBytes } from './bytes.ts';
import type { Primitives } from './primitives.ts';
import { requireLength } from './primitive-input.ts';
import { Scp03Error } from './scp03-error.ts';
import {
  deriveCryptograms,
  deriveSessionKeys,
  type MacBytes,
  type Scp03Keys,
  type SessionKeys,
} from './scp03-keys.ts';
import {
  closedChannel,
  commandMac,
  SECURE_MESSAGING_BIT,
  securityLevels,
  type ClosedChannel,
  type OpenChannel,
  type SecurityLevel,
} from './scp03.ts';

/** The i parameter's bits, Amendment D §5.1. */
export const implementationBits = {
  s16: 0x01,
  pseudoRandomChallenge: 0x10,
  responseMac: 0x20,
  responseEncryption: 0x40,
} as const;
/** S16, random challenges, R-MAC and R-ENCRYPTION: what a Keytoll card announces. */
export const keytollImplementation = 0x61;

const scp03 = 0x03;
export const DIVERSIFICATION_BYTES = 10;

/** The answer to INITIALIZE UPDATE. */
export interface CardGreeting {
  /** "Key diversification data": the first 10 bytes of what the card shows as its identifier. */
  readonly diversification: Uint8Array;
  readonly keyVersion: number;
  /** The i parameter. */
  readonly implementation: number;
  readonly cardChallenge: Uint8Array;
  readonly cardCryptogram: Uint8Array;
  /** With pseudo-random challenges only: 0 to 0xFFFFFF. */
  readonly sequence?: number;
}

/** Off-card side, first step. Key version 0 leaves the choice to the card. */
export function initializeUpdate(keyVersion: number, hostChallenge: Uint8Array): CommandApdu {
  return { cla: 0x80, ins: 0x50, p1: keyVersion, p2: 0x00, data: hostChallenge, ne: 256 };
}

/** Throws Scp03Error `answer-malformed`: wrong length, another protocol, bits that no mode has. */
export function decodeCardGreeting(bytes: Uint8Array): CardGreeting {
  const keyVersion = bytes[DIVERSIFICATION_BYTES];
  const implementation = bytes[DIVERSIFICATION_BYTES + 2];
  if (keyVersion === undefined || implementation === undefined) throw malformed('truncated');
  if (bytes[DIVERSIFICATION_BYTES + 1] !== scp03) throw malformed('not SCP03');
  if (!isImplementation(implementation)) throw malformed('unknown i parameter');
  const macBytes = macBytesOf(implementation);
  const start = DIVERSIFICATION_BYTES + 3;
  const end = start + 2 * macBytes;
  const counted = (implementation & implementationBits.pseudoRandomChallenge) !== 0;
  if (bytes.length !== end + (counted ? 3 : 0)) throw malformed('wrong length');
  let sequence = 0;
  for (const byte of bytes.subarray(end)) sequence = (sequence << 8) | byte;
  return {
    diversification: bytes.slice(0, DIVERSIFICATION_BYTES),
    keyVersion,
    implementation,
    cardChallenge: bytes.slice(start, start + macBytes),
    cardCryptogram: bytes.slice(start + macBytes, end),
    ...(counted ? { sequence } : {}),
  };
}

export function encodeCardGreeting(greeting: CardGreeting): Uint8Array {
  const { sequence } = greeting;
  return concatBytes(
    greeting.diversification,
    Uint8Array.of(greeting.keyVersion, scp03, greeting.implementation),
    greeting.cardChallenge,
    greeting.cardCryptogram,
    sequence === undefined ? new Uint8Array(0) : uintToBytes(BigInt(sequence), 3),
  );
}

export type CardAuthentication =
  /** Send `command` (EXTERNAL AUTHENTICATE); `channel` holds once the card has answered 9000. */
  | { readonly verdict: 'authentic'; readonly channel: OpenChannel; readonly command: CommandApdu }
  | { readonly verdict: 'refused'; readonly reason: CardAuthenticationRefusal };
export type CardAuthenticationRefusal = 'card-cryptogram' | 'other-mode' | 'level-not-offered';

/** Off-card side, second step: the card proves that it has the keys, then the host does. */
export function authenticateCard(
  primitives: Primitives,
  keys: Scp03Keys,
  hostChallenge: Uint8Array,
  greeting: CardGreeting,
  level: SecurityLevel,
): CardAuthentication {
  const macBytes = macBytesOf(greeting.implementation);
  // The challenge was sent for one mode; a card that answers in the other cannot talk it down.
  if (hostChallenge.length !== macBytes) return { verdict: 'refused', reason: 'other-mode' };
  if (!offersLevel(greeting.implementation, level)) {
    return { verdict: 'refused', reason: 'level-not-offered' };
  }
  const { cardChallenge } = greeting;
  const sessionKeys = deriveSessionKeys(primitives, keys, hostChallenge, cardChallenge);
  const { sMac } = sessionKeys;
  const expected = deriveCryptograms(primitives, sMac, hostChallenge, cardChallenge, macBytes);
  if (!equalBytes(expected.card, greeting.cardCryptogram)) {
    return { verdict: 'refused', reason: 'card-cryptogram' };
  }
  const channel = unusedChannel(sessionKeys, macBytes, level);
  const bare = {
    cla: 0x80 | SECURE_MESSAGING_BIT,
    ins: 0x82,
    p1: level,
    p2: 0x00,
    data: expected.host,
  };
  const mac = commandMac(primitives, channel, bare);
  return {
    verdict: 'authentic',
    channel: { ...channel, chaining: mac },
    command: { ...bare, data: concatBytes(expected.host, mac.subarray(0, macBytes)) },
  };
}

/** What a card brings to INITIALIZE UPDATE. */
export interface CardOffer {
  readonly diversification: Uint8Array;
  readonly keyVersion: number;
  readonly implementation: number;
  /** As long as the host's challenge: 8 bytes in S8, 16 in S16. */
  readonly cardChallenge: Uint8Array;
  readonly sequence?: number;
}

/**
 * The card between its two commands; it is forgotten after one EXTERNAL AUTHENTICATE, good or bad.
 */
export interface PendingChannel {
  readonly state: 'pending';
  readonly keys: SessionKeys;
  readonly implementation: number;
  readonly hostCryptogram: Uint8Array;
}

/**
 * Card side, first step. Throws RangeError where challenges do not fit the mode: check the host's
 * first.
 */
export function greetHost(
  primitives: Primitives,
  keys: Scp03Keys,
  hostChallenge: Uint8Array,
  offer: CardOffer,
): { readonly pending: PendingChannel; readonly greeting: CardGreeting } {
  const { implementation, cardChallenge } = offer;
  if (!isImplementation(implementation)) throw new RangeError('unknown i parameter');
  const counted = (implementation & implementationBits.pseudoRandomChallenge) !== 0;
  if (counted !== (offer.sequence !== undefined)) throw new RangeError('sequence counter or not');
  const macBytes = macBytesOf(implementation);
  requireLength(hostChallenge, macBytes, 'the host challenge');
  requireLength(cardChallenge, macBytes, 'the card challenge');
  requireLength(offer.diversification, DIVERSIFICATION_BYTES, 'the diversification data');
  const sessionKeys = deriveSessionKeys(primitives, keys, hostChallenge, cardChallenge);
  const { sMac } = sessionKeys;
  const cryptograms = deriveCryptograms(primitives, sMac, hostChallenge, cardChallenge, macBytes);
  return {
    pending: {
      state: 'pending',
      keys: sessionKeys,
      implementation,
      hostCryptogram: cryptograms.host,
    },
    greeting: { ...offer, cardCryptogram: cryptograms.card },
  };
}

export type HostAuthentication =
  | { readonly verdict: 'authentic'; readonly channel: OpenChannel }
  | { readonly verdict: 'closed'; readonly channel: ClosedChannel };

/** Card side, second step. `levels` are those that the applet accepts: Keytoll's is 33 alone. */
export function acceptHost(
  primitives: Primitives,
  pending: PendingChannel,
  command: CommandApdu,
  levels: readonly SecurityLevel[],
): HostAuthentication {
  const closed = { verdict: 'closed', channel: closedChannel } as const;
  const { cla, ins, p1, p2, data } = command;
  const macBytes = macBytesOf(pending.implementation);
  const level = securityLevels.find((known) => known === p1);
  if ((cla & 0xfc) !== 0x84 || ins !== 0x82 || p2 !== 0 || level === undefined) return closed;
  if (!levels.includes(level) || !offersLevel(pending.implementation, level)) return closed;
  if (data.length !== 2 * macBytes) return closed;
  const cryptogram = data.slice(0, macBytes);
  const channel = unusedChannel(pending.keys, macBytes, level);
  const mac = commandMac(primitives, channel, { ...command, data: cryptogram });
  const macHolds = equalBytes(mac.subarray(0, macBytes), data.subarray(macBytes));
  const cryptogramHolds = equalBytes(cryptogram, pending.hostCryptogram);
  if (!macHolds || !cryptogramHolds) return closed;
  return { verdict: 'authentic', channel: { ...channel, chaining: mac } };
}

export function macBytesOf(implementation: number): MacBytes {
  return (implementation & implementationBits.s16) === 0 ? 8 : 16;
}

function unusedChannel(keys: SessionKeys, macBytes: MacBytes, level: SecurityLevel): OpenChannel {
  return { state: 'open', level, macBytes, keys, chaining: new Uint8Array(16), counter: 0n };
}

/** R-ENCRYPTION comes with R-MAC only; all other bits are reserved. */
function isImplementation(i: number): boolean {
  const responses = i & 0x60;
  return (i & ~0x71) === 0 && responses !== implementationBits.responseEncryption;
}

function offersLevel(implementation: number, level: SecurityLevel): boolean {
  const asked = level & 0x30;
  // R-MAC and R-ENCRYPTION are bits 5 and 6 of the level, bits 6 and 7 of i.
  return ((asked << 1) & ~implementation) === 0;
}

function malformed(detail: string): Scp03Error {
  return new Scp03Error('answer-malformed', `answer to INITIALIZE UPDATE: ${detail}`);
}
