/** Who the station is, and whom it believes: its keys and certificates, the CA's root and CRL. */
import { Trust } from '../network/trust.ts';
import type { StationConfig } from './config.ts';
import { readCertificateFile, readSigningKey } from './key-files.ts';
import { StationError } from './station-error.ts';
import type { StationSeams } from './station.ts';

export interface Identity {
  readonly coinKey: ReturnType<typeof readSigningKey>;
  readonly documentKey: ReturnType<typeof readSigningKey>;
  readonly coinCertificate: Uint8Array;
  readonly documentCertificate: Uint8Array;
}

export function openTrust(
  config: StationConfig,
  { primitives, clock }: Pick<StationSeams, 'primitives' | 'clock'>,
): Trust {
  const trust = new Trust({
    primitives,
    clock,
    root: readCertificateFile('CERTIFICATE', config.path(config.ca.root)),
    graceSeconds: BigInt(config.ca['crl-grace-seconds']),
  });
  const crlFile = config.path(config.ca.crl);
  if (trust.learnCrl(readCertificateFile('X509 CRL', crlFile)) === 'refused') {
    throw new StationError('certificate-not-valid', `${crlFile} is no CRL of the CA in ca.root`);
  }
  return trust;
}

/** The station's own keys, and certificates that are valid and belong to them. */
export function openIdentity(
  config: StationConfig,
  { primitives }: Pick<StationSeams, 'primitives' | 'clock'>,
  trust: Trust,
): Identity {
  const { keys } = config;
  const coinKey = readSigningKey(primitives, config.path(keys.coin));
  const documentKey = readSigningKey(primitives, config.path(keys.document));
  const pairs = [
    ['station-coin', keys['coin-certificate'], coinKey],
    ['station-document', keys['document-certificate'], documentKey],
  ] as const;
  const [coinCertificate, documentCertificate] = pairs.map(([role, name, key]) => {
    const file = config.path(name);
    const der = readCertificateFile('CERTIFICATE', file);
    const check = trust.check(der, role, config.name);
    if (!check.ok) {
      throw new StationError(
        'certificate-not-valid',
        `${file} does not hold: ${check.reason}, ${check.detail}`,
      );
    }
    if (Buffer.compare(check.certificate.publicKey, key.publicKey) !== 0) {
      throw new StationError('certificate-not-valid', `${file} is for another key than ours`);
    }
    return der;
  });
  if (coinCertificate === undefined || documentCertificate === undefined) {
    throw new RangeError('a pair was lost');
  }
  return { coinKey, documentKey, coinCertificate, documentCertificate };
}
