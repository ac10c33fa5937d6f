import type { PeerCertificate } from 'node:tls';
import { checkServerIdentity } from 'node:tls';
import { QkdError } from './qkd-error.ts';

/**
 * How a key manager is recognised, beyond a chain to the configured CA. ETSI GS QKD 014 does not
 * say which field holds the KME ID, so a name counts in the common name, the serial number, or a
 * subject alternative name of any kind. Where both lists are given, both must match; where neither
 * is, the certificate must name the host of the URL, as usual in HTTPS.
 */
export interface DeviceIdentity {
  readonly names?: readonly string[];
  /** SHA-256 of the certificate in hexadecimal, with or without colons. */
  readonly fingerprints?: readonly string[];
}

/** The check in the form that `node:tls` takes: undefined, or why the certificate is refused. */
export function checkDeviceIdentity(
  identity: DeviceIdentity,
  host: string,
  certificate: PeerCertificate,
): Error | undefined {
  const { names = [], fingerprints = [] } = identity;
  if (names.length === 0 && fingerprints.length === 0) {
    const mismatch = checkServerIdentity(host, certificate);
    return mismatch === undefined ? undefined : refusal(`the host ${host}`, certificate, mismatch);
  }
  if (names.length > 0) {
    const found = new Set(certificateNames(certificate).map((name) => name.toLowerCase()));
    if (!names.some((name) => found.has(name.toLowerCase()))) {
      return refusal(names.join(' or '), certificate);
    }
  }
  if (fingerprints.length > 0) {
    const found = plainHex(certificate.fingerprint256);
    if (!fingerprints.some((fingerprint) => plainHex(fingerprint) === found)) {
      return refusal('the configured fingerprint', certificate);
    }
  }
  return undefined;
}

function refusal(expected: string, certificate: PeerCertificate, cause?: Error): QkdError {
  const found = certificateNames(certificate).join(', ');
  return new QkdError(
    'authentication',
    `the key manager's certificate is not that of ${expected}; it names ${found || 'nothing'}`,
    { cause },
  );
}

function certificateNames(certificate: PeerCertificate): string[] {
  const { subject } = certificate;
  const serial: unknown = Reflect.get(subject, 'serialNumber');
  const alternatives = (certificate.subjectaltname ?? '')
    .split(', ')
    .map((entry) => entry.slice(entry.indexOf(':') + 1))
    .map((entry) => (entry.startsWith('"') ? entry.slice(1, -1) : entry));
  return [subject.CN, serial, ...alternatives]
    .flat()
    .filter((name): name is string => typeof name === 'string' && name !== '');
}

function plainHex(fingerprint: string): string {
  return fingerprint.replaceAll(':', '').toLowerCase();
}
