/** Who the station is, and whom it believes: its keys and certificates, the CA's root and CRL. */
import { equalBytes } from '../../applet-spec/bytes.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import type { SigningKey, VerifyingKey } from '../../applet-spec/primitives.ts';
import { Trust } from '../network/trust.ts';
import { formerCertificatesMost } from '../wire/announcement.ts';
import type { StationConfig } from './config.ts';
import { readCertificateFile } from './key-files.ts';
import {
  keyOf,
  readCertificates,
  readSigningFiles,
  signingKinds,
  type CertificateFile,
  type KeyFile,
  type SigningFiles,
  type SigningKind,
} from './signing-files.ts';
import { StationError } from './station-error.ts';
import type { StationSeams } from './station.ts';

export type IdentitySeams = Pick<StationSeams, 'primitives' | 'clock'>;

export interface Identity {
  readonly coinKey: SigningKey;
  readonly documentKey: SigningKey;
  /** DER. */
  readonly coinCertificate: Uint8Array;
  readonly documentCertificate: Uint8Array;
  /** All that lie here, those in use included, the newest first. */
  readonly ownCertificates: readonly Uint8Array[];
  /** All of which the private key is here: quotes of before name former ones. */
  readonly documentKeys: readonly SigningKey[];
  /** All of which a certificate is here. */
  readonly documentPublicKeys: readonly VerifyingKey[];
}

/** A payment is open for so long after its quote at most, and needs its document key until then. */
export const openSecondsMost = 31n * 86_400n;

export function openTrust(config: StationConfig, { primitives, clock }: IdentitySeams): Trust {
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
export function openIdentity(config: StationConfig, seams: IdentitySeams, trust: Trust): Identity {
  const { primitives } = seams;
  const [coin, document] = (['coin', 'document'] as const).map((kind) => {
    const files = readSigningFiles(config, kind, primitives);
    return { files, inUse: inUse(config, kind, files, trust) };
  });
  if (coin === undefined || document === undefined) throw new RangeError('a pair was lost');
  return {
    coinKey: coin.inUse.keyFile.signingKey,
    documentKey: document.inUse.keyFile.signingKey,
    coinCertificate: coin.inUse.certificate.der,
    documentCertificate: document.inUse.certificate.der,
    ownCertificates: newestFirst([...coin.files.certificates, ...document.files.certificates]).map(
      ({ certificate }) => certificate.der,
    ),
    documentKeys: document.files.keys.map(({ signingKey }) => signingKey),
    documentPublicKeys: document.files.certificates.map(({ certificate }) =>
      primitives.verifyingKey(certificate.publicKey),
    ),
  };
}

export interface SigningPair {
  readonly keyFile: KeyFile;
  readonly file: string;
  readonly certificate: CertificateFile['certificate'];
}

/**
 * The station signs with the key of its newest certificate that holds, of those whose key is here.
 * Throws StationError, saying why the newest does not.
 */
function inUse(
  config: StationConfig,
  kind: SigningKind,
  files: SigningFiles,
  trust: Trust,
): SigningPair {
  const pair = pairInUse(config, files, trust);
  if (pair !== undefined) return pair;
  const newest = newestFirst(files.certificates)[0];
  const advice = `run \`keytolld keys renew ${kind}\` or \`keytolld keys rotate ${kind}\``;
  if (newest === undefined) {
    const missing = config.path(config.keys[`${kind}-certificate`]);
    throw new StationError('certificate-not-valid', `${missing} is not there; ${advice}`);
  }
  const check = trust.check(newest.certificate.der, files.role, config.name);
  if (!check.ok && check.reason === 'crl-stale') {
    throw new StationError(
      'certificate-not-valid',
      `no fresh list of revoked certificates: ${check.detail}; put the CA's newest one into ` +
        `${config.path(config.ca.crl)}; there: keytolld ca crl CA --out crl.der`,
    );
  }
  const why = check.ok ? 'its private key is not here' : `${check.reason}, ${check.detail}`;
  throw new StationError(
    'certificate-not-valid',
    `${newest.file} does not hold: ${why}; ${advice}`,
  );
}

export function pairInUse(
  config: StationConfig,
  files: SigningFiles,
  trust: Trust,
): SigningPair | undefined {
  for (const one of newestFirst(files.certificates)) {
    const keyFile = keyOf(files, one);
    if (keyFile !== undefined && trust.check(one.certificate.der, files.role, config.name).ok) {
      return { ...one, keyFile };
    }
  }
  return undefined;
}

/** Among certificates of one second, the one with the highest number. */
export function newestFirst(files: readonly CertificateFile[]): readonly CertificateFile[] {
  return [...files]
    .reverse()
    .sort((a, b) => Number(b.certificate.notBefore - a.certificate.notBefore));
}

export interface NeededCertificate extends CertificateFile {
  /** Unix seconds: until then something that it vouches for may still come. */
  readonly until: bigint;
}

/**
 * Those besides the one in use that others need, and that are not revoked; the newest first. One
 * that waits for the next start is among them: everybody has it then.
 */
export function neededBesides(
  config: StationConfig,
  kind: SigningKind,
  inUse: Uint8Array | undefined,
  trust: Trust,
  clock: Clock,
): readonly NeededCertificate[] {
  const nowSeconds = BigInt(Math.floor(clock.nowMs() / 1_000));
  return newestFirst(readCertificates(config, kind))
    .filter(({ certificate: { der } }) => inUse === undefined || !equalBytes(der, inUse))
    .map((one) => ({ ...one, until: one.certificate.notAfter + outlasts(config, kind) }))
    .filter(({ until, certificate: { der } }) => {
      const check = trust.check(der, `station-${kind}`, config.name, 'any');
      return until > nowSeconds && (check.ok || check.reason.startsWith('crl-'));
    });
}

/** What a running station announces besides the two in use. Throws StationError. */
export function announcedBesides(
  config: StationConfig,
  identity: Pick<Identity, 'coinCertificate' | 'documentCertificate'>,
  trust: Trust,
  clock: Clock,
): readonly Uint8Array[] {
  return signingKinds.flatMap((kind) =>
    neededBesides(config, kind, identity[`${kind}Certificate`], trust, clock)
      .slice(0, formerCertificatesMost)
      .map(({ certificate }) => certificate.der),
  );
}

/** How long after its end a certificate's coins are paid with, or its payments open. */
function outlasts(config: StationConfig, kind: SigningKind): bigint {
  return kind === 'coin' ? BigInt(config.coins['valid-days']) * 86_400n : openSecondsMost;
}
