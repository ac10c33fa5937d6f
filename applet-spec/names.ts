/** Names of stations and users, and the small values that many objects share. */
import { limits } from './limits.ts';
import { recurring } from './recurring-text.ts';
import { element, octets, oneOf, small, text, uint } from './tlv.ts';
import { TlvError } from './tlv-error.ts';
import { valueInPlace, type ValueInPlace } from './tlv-in-place.ts';

/** A card's serial number, 16 bytes, in lower-case hexadecimal. */
export type CardSerial = string & { readonly brand: 'CardSerial' };
export type StationName = string & { readonly brand: 'StationName' };
export type UserName = string & { readonly brand: 'UserName' };
/** ISO 4217: three capital letters. */
export type Currency = string & { readonly brand: 'Currency' };

/** A chain of DNS labels (RFC 1123 §2.1), lower case. */
const stationPattern = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;
const localPattern = /^[a-z0-9](?:[a-z0-9._+-]*[a-z0-9])?$/;

export function isStationName(name: string): name is StationName {
  return name.length <= limits.stationNameBytes && stationPattern.test(name);
}

export function isUserName(name: string): name is UserName {
  const [local, station, ...rest] = name.split('@');
  if (local === undefined || station === undefined || rest.length > 0) return false;
  return name.length <= limits.userNameBytes && localPattern.test(local) && isStationName(station);
}

export function isCardSerial(text: string): text is CardSerial {
  return /^[0-9a-f]{32}$/.test(text);
}

export function isCurrency(code: string): code is Currency {
  return /^[A-Z]{3}$/.test(code);
}

/** Throws RangeError, naming the name. */
export function toStationName(name: string): StationName {
  if (isStationName(name)) return name;
  throw new RangeError(
    `"${name}" is no station name: lower-case letters, digits, dots and hyphens, at most 32`,
  );
}

/** Throws RangeError, naming the name. */
export function toUserName(name: string): UserName {
  if (isUserName(name)) return name;
  throw new RangeError(`"${name}" is no user name: expected name@station, such as alice@q1`);
}

/** Throws RangeError, naming the code. */
export function toCurrency(code: string): Currency {
  if (isCurrency(code)) return code;
  throw new RangeError(`"${code}" is no currency: expected three capital letters of ISO 4217`);
}

/** The station that a user belongs to. */
export function homeStation(user: UserName): StationName {
  return user.slice(user.indexOf('@') + 1) as StationName;
}

export const stationName = recurring(
  restrict(text(limits.stationNameBytes), isStationName, 'station name'),
  512,
);
/** A busy station carries the payments of thousands. */
export const userName = recurring(
  restrict(text(limits.userNameBytes), isUserName, 'user name'),
  4_096,
);
export const currency = recurring(restrict(text(3), isCurrency, 'currency'), 16);
export const networkName = recurring(text(limits.networkNameBytes), 16);
/** Minor units of the currency. */
export const money = uint(8);
/** Unix time in whole seconds. */
export const seconds = uint(8);
export const hash = octets(32);
export const shortId = octets(16);
export const publicKey = octets(65);
export const certificate = octets(1, limits.certificateBytes);
export const signature = octets(64);

/** What the algorithm byte of a signed object says. Others follow: Ed25519, ML-DSA, SM2. */
export const algorithm = oneOf({ 'ecdsa-p256-sha256': 1 });

/**
 * Link suites in the order of their strength; a quote names the least that it allows (design §5).
 */
export const suiteCodes = { aes: 1, 'otp-secret': 2, otp: 3 } as const;
export type Suite = keyof typeof suiteCodes;
export const suite = oneOf(suiteCodes);

export function suiteAtLeast(offered: Suite, wanted: Suite): boolean {
  return suiteCodes[offered] >= suiteCodes[wanted];
}

/** The first two elements of every signed object. */
export const signedHead = {
  version: element(0x80, small(1, 1)),
  algorithm: element(0x81, algorithm),
} as const;
export const headNow = { version: 1, algorithm: 'ecdsa-p256-sha256' } as const;

function restrict<T extends string>(
  value: ValueInPlace<string>,
  allowed: (name: string) => name is T,
  what: string,
): ValueInPlace<T> {
  const narrowed = (name: string): T => {
    if (allowed(name)) return name;
    throw new TlvError('bad-value', '', `"${name}" is no ${what}`);
  };
  return valueInPlace(
    (name, to) => {
      value.write(narrowed(name), to);
    },
    (bytes, start, end) => narrowed(value.read(bytes, start, end)),
  );
}
