/**
 * Who a certificate is for: told by its extended key usage, and by the kind of name that it
 * carries.
 */
import {
  isCardSerial,
  isStationName,
  isUserName,
  type CardSerial,
  type StationName,
  type UserName,
} from './names.ts';

/**
 * Roles of those that the CA certifies; a station has a key, and a certificate, for each of its
 * three. A card's device key is certified by its maker's CA.
 */
export type CertificateRole =
  'user' | 'station-coin' | 'station-document' | 'station-tls' | 'card-device';

export const certificateRoles = [
  'user',
  'station-coin',
  'station-document',
  'station-tls',
  'card-device',
] as const satisfies readonly CertificateRole[];

/** Below 2.25 (ITU-T X.667): the UUID c7ebf194-0af9-4e2b-97f2-836dbe882253 as a number. */
const arc = '2.25.265741460712832717140298517270269272659';
const serverAuth = '1.3.6.1.5.5.7.3.1';
const clientAuth = '1.3.6.1.5.5.7.3.2';

/** The extended key usages of each role: exactly these, so that no certificate serves two roles. */
export const roleUsages: Readonly<Record<CertificateRole, readonly string[]>> = {
  user: [`${arc}.1`],
  'station-coin': [`${arc}.2`],
  'station-document': [`${arc}.3`],
  'station-tls': [serverAuth, clientAuth],
  'card-device': [`${arc}.5`],
};

/** A GeneralName (RFC 5280 §4.2.1.6) of a kind that we read. */
export interface AlternativeName {
  readonly kind: 'rfc822Name' | 'dNSName' | 'iPAddress' | 'hardwareModuleName' | 'other';
  /**
   * The text of an rfc822Name or dNSName, the serial number of a hardwareModuleName in hexadecimal;
   * empty for the other kinds.
   */
  readonly text: string;
}

export function roleOf(extendedKeyUsage: readonly string[]): CertificateRole | undefined {
  return certificateRoles.find((role) => {
    const usages = roleUsages[role];
    return (
      usages.length === extendedKeyUsage.length &&
      usages.every((usage) => extendedKeyUsage.includes(usage))
    );
  });
}

/**
 * A user has one rfc822Name and nothing else, a card's device one hardwareModuleName; a station one
 * dNSName first. Only behind the name of a TLS certificate may dNSNames and iPAddresses follow, for
 * browsers and curl that know no stations.
 */
export function nameFor(
  role: CertificateRole,
  names: readonly AlternativeName[],
): UserName | StationName | CardSerial | undefined {
  const [first, ...further] = names;
  if (first === undefined) return undefined;
  if (role === 'user') {
    const alone = further.length === 0 && first.kind === 'rfc822Name';
    return alone && isUserName(first.text) ? first.text : undefined;
  }
  if (role === 'card-device') {
    const alone = further.length === 0 && first.kind === 'hardwareModuleName';
    return alone && isCardSerial(first.text) ? first.text : undefined;
  }
  if (first.kind !== 'dNSName' || !isStationName(first.text)) return undefined;
  const furtherFit =
    role === 'station-tls'
      ? further.every(({ kind }) => kind === 'dNSName' || kind === 'iPAddress')
      : further.length === 0;
  return furtherFit ? first.text : undefined;
}
