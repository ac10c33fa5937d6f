/**
 * The delivery file: how a card's maker tells the station that will own the card its serial number
 * and its transport keys, apart from the card. JSON, so that a person can look at it; as secret as
 * the keys.
 */
import { fromHex, toHex } from './bytes.ts';
import type { CardKeys } from './scp03-keys.ts';

export interface CardDelivery {
  /** 16 bytes; the card's identifier until its first handle. */
  readonly serial: Uint8Array;
  /** 1 to 0x7F. */
  readonly keyVersion: number;
  /** 32 bytes each. */
  readonly keys: CardKeys;
}

/**
 * The key version of transport keys: what a card has from its maker until its station's PUT KEY.
 */
export const transportKeyVersion = 0x30;

const formatVersion = 1;
const serialBytes = 16;
const keyBytes = 32;

/**
 * Key names of GlobalPlatform, and the host link's; hexadecimal; two spaces, a line end at the end.
 */
export function encodeDelivery({ serial, keyVersion, keys }: CardDelivery): string {
  const file = {
    keytollCard: formatVersion,
    serial: toHex(serial),
    keyVersion,
    keys: {
      enc: toHex(keys.enc),
      mac: toHex(keys.mac),
      dek: toHex(keys.dek),
      hostLink: toHex(keys.hostLink),
    },
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** Throws RangeError that names the field, and never its value. */
export function decodeDelivery(text: string): CardDelivery {
  const file = objectOf(parseJson(text), 'the file');
  if (file['keytollCard'] !== formatVersion) throw expected('keytollCard', 'to be 1');
  const { keyVersion } = file;
  if (typeof keyVersion !== 'number' || !Number.isInteger(keyVersion)) {
    throw expected('keyVersion', 'to be a whole number');
  }
  if (keyVersion < 1 || keyVersion > 0x7f) throw expected('keyVersion', 'from 1 to 127');
  const keys = objectOf(file['keys'], 'keys');
  const key = (name: string): Uint8Array => hexOf(keys[name], `keys.${name}`, keyBytes);
  return {
    serial: hexOf(file['serial'], 'serial', serialBytes),
    keyVersion,
    keys: { enc: key('enc'), mac: key('mac'), dek: key('dek'), hostLink: key('hostLink') },
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's message quotes the text, which holds keys.
    throw expected('the file', 'to be JSON');
  }
}

function objectOf(value: unknown, field: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw expected(field, 'to be an object');
  }
  return Object.fromEntries(Object.entries(value));
}

function hexOf(value: unknown, field: string, bytes: number): Uint8Array {
  const wanted = expected(field, `to be ${bytes} bytes in hexadecimal`);
  if (typeof value !== 'string' || value.length !== 2 * bytes) throw wanted;
  try {
    return fromHex(value);
  } catch {
    throw wanted;
  }
}

function expected(field: string, what: string): RangeError {
  return new RangeError(`card delivery: expected ${field} ${what}`);
}
