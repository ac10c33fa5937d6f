/**
 * The applet's commands. `clear` commands come from the host; `secure` ones from the station,
 * wrapped by SCP03 at level 33 (CLA bit 0x04). A secure command's 9000 answer carries a result code
 * first (`cardResults`), so that a refusal of business is authentic (design §5).
 */
import { fromHex } from './bytes.ts';

/** Category F (ISO/IEC 7816-5 §7.2.2): F0, then `KEYTOLL`, then the version 01. */
export const appletId = fromHex('f04b4559544f4c4c01');

export const pinReference = 0x80;
export const pukReference = 0x81;

export type CommandAccess = 'none' | 'pin' | 'session' | 'pin-and-session';

export interface CommandRule {
  readonly cla: number;
  readonly ins: number;
  readonly channel: 'clear' | 'secure';
  readonly access: CommandAccess;
}

export const commands = {
  // ISO/IEC 7816-4, in the clear.
  select: { cla: 0x00, ins: 0xa4, channel: 'clear', access: 'none' },
  getData: { cla: 0x00, ins: 0xca, channel: 'clear', access: 'none' },
  verify: { cla: 0x00, ins: 0x20, channel: 'clear', access: 'none' },
  changeReferenceData: { cla: 0x00, ins: 0x24, channel: 'clear', access: 'none' },
  resetRetryCounter: { cla: 0x00, ins: 0x2c, channel: 'clear', access: 'none' },
  getResponse: { cla: 0x00, ins: 0xc0, channel: 'clear', access: 'none' },
  // Ours, in the clear.
  authorise: { cla: 0x80, ins: 0x10, channel: 'clear', access: 'pin' },
  deriveHostLink: { cla: 0x80, ins: 0x12, channel: 'clear', access: 'pin-and-session' },
  listPeerKeys: { cla: 0x80, ins: 0x14, channel: 'clear', access: 'pin' },
  deriveTraffic: { cla: 0x80, ins: 0x16, channel: 'clear', access: 'pin' },
  listCoins: { cla: 0x80, ins: 0x18, channel: 'clear', access: 'pin' },
  erasePeerKey: { cla: 0x80, ins: 0x1a, channel: 'clear', access: 'pin' },
  checkSignature: { cla: 0x80, ins: 0x1c, channel: 'clear', access: 'pin' },
  // GlobalPlatform 2.3.1 and Amendment D.
  initializeUpdate: { cla: 0x80, ins: 0x50, channel: 'clear', access: 'none' },
  externalAuthenticate: { cla: 0x84, ins: 0x82, channel: 'clear', access: 'none' },
  putKey: { cla: 0x80, ins: 0xd8, channel: 'secure', access: 'session' },
  // Ours, from the station.
  generateKeyPair: { cla: 0x80, ins: 0x46, channel: 'secure', access: 'session' },
  attest: { cla: 0x80, ins: 0x48, channel: 'secure', access: 'session' },
  putCertificate: { cla: 0x80, ins: 0x20, channel: 'secure', access: 'session' },
  putProfile: { cla: 0x80, ins: 0x22, channel: 'secure', access: 'session' },
  putHandle: { cla: 0x80, ins: 0x24, channel: 'secure', access: 'session' },
  loadCoins: { cla: 0x80, ins: 0x28, channel: 'secure', access: 'session' },
  pay: { cla: 0x80, ins: 0x30, channel: 'secure', access: 'session' },
  offer: { cla: 0x80, ins: 0x32, channel: 'secure', access: 'session' },
  conclude: { cla: 0x80, ins: 0x34, channel: 'secure', access: 'session' },
  queryJournal: { cla: 0x80, ins: 0x36, channel: 'secure', access: 'session' },
  retireCoins: { cla: 0x80, ins: 0x38, channel: 'secure', access: 'session' },
  eraseCoins: { cla: 0x80, ins: 0x3a, channel: 'secure', access: 'session' },
} as const satisfies Readonly<Record<string, CommandRule>>;

export type CommandName = keyof typeof commands;

/** P1 P2 of GET DATA. */
export const dataObjects = {
  /** `applicationInfo`; always readable. */
  applicationInfo: 0x0101,
  /** `owner`; after the PIN. */
  owner: 0x0102,
} as const;

/**
 * Whether a host carries this APDU for a desk (`desk.md`): what opens a session; and, once the
 * link is sealed, what goes under one, and the one question that anybody may ask. All else is the
 * hand of the card's owner.
 */
export function isCarried(apdu: Uint8Array, isSealed: boolean): boolean {
  const [cla, ins, p1, p2] = apdu;
  if (cla === undefined || ins === undefined || p1 === undefined || p2 === undefined) return false;
  const isOf = (rule: CommandRule): boolean => cla === rule.cla && ins === rule.ins;
  if (!isSealed) return isOf(commands.initializeUpdate) || isOf(commands.externalAuthenticate);
  const asked = (p1 << 8) | p2;
  if (isOf(commands.getData)) return asked === dataObjects.applicationInfo;
  return cla === commands.externalAuthenticate.cla;
}

/** P1 of PAY: also return the certificate (a station that has it sealed leaves it out). */
export const payWithCertificate = 0x01;

/** P1 of DERIVE TRAFFIC. */
export const trafficDirections = { send: 0x01, receive: 0x02 } as const;

/**
 * P1 of CHANGE REFERENCE DATA: set where none is set yet, or verify the old one and set the new
 * one.
 */
export const changeReference = { first: 0x01, exchange: 0x00 } as const;

/** What a secure command came to: the first byte of its 9000 answer, under the response MAC. */
export const cardResults = {
  done: 0x00,
  'not-authorised': 0x01,
  'no-matching-coin': 0x02,
  'payment-limit-exceeded': 0x03,
  'day-limit-exceeded': 0x04,
  'pool-full': 0x05,
  'peer-keys-full': 0x06,
  'not-found': 0x07,
  'commitment-mismatch': 0x08,
  'signature-invalid': 0x09,
  'wrong-network': 0x0a,
  'wrong-currency': 0x0b,
  'wrong-payer': 0x0c,
  'wrong-station': 0x0d,
  'not-unspent': 0x0e,
  'already-concluded': 0x0f,
  'not-enrolled': 0x10,
  conflict: 0x11,
  'key-check-failed': 0x12,
  /** PIN and PUK are not set yet. */
  'not-initialised': 0x13,
  /** The maker gave the card no device key: it can attest nothing. */
  'no-device-key': 0x14,
} as const;

export type CardResult = keyof typeof cardResults;
