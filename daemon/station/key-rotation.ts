/**
 * New certificates and new keys of a station, beside those that it has: nothing is overwritten, so
 * that a stop at any moment leaves a station that runs, and the next command goes on from there.
 */
import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { subjectPublicKeyInfo } from '../../applet-spec/certificate.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { CertificateAuthority } from '../ca/certificate-authority.ts';
import { createFile, replaceFile } from '../ca/durable-file.ts';
import { drawP256Key, privateKeyPem } from '../ca/p256-key-file.ts';
import { encodePem } from '../ca/pem.ts';
import { opensslPrimitives } from '../openssl-primitives.ts';
import { formerCertificatesMost } from '../wire/announcement.ts';
import type { StationConfig } from './config.ts';
import { neededBesides, newestFirst, openTrust, pairInUse } from './identity.ts';
import { readSigningKey, writeNew } from './key-files.ts';
import {
  besides,
  keyOf,
  namedFiles,
  nextName,
  readSigningFiles,
  type KeyFile,
  type SigningKind,
} from './signing-files.ts';
import { StationError } from './station-error.ts';

export interface RotationSeams {
  readonly clock: Clock;
  readonly entropy: Entropy;
}

/** A key of the station, and the file in which the certificate for it belongs. */
export interface Wanted {
  readonly kind: SigningKind;
  readonly keyFile: KeyFile;
  readonly publicKeyFile: string;
  readonly certificateFile: string;
}

/** Another certificate for the key of the newest one. Throws StationError. */
export function renewal(
  config: StationConfig,
  kind: SigningKind,
  { clock }: RotationSeams,
): Wanted {
  const files = readSigningFiles(config, kind, opensslPrimitives);
  requireRoom(config, kind, clock);
  const newest = newestFirst(files.certificates).find((one) => keyOf(files, one) !== undefined);
  const keyFile = newest === undefined ? files.keys.at(-1) : keyOf(files, newest);
  const { privateKey, certificate } = namedFiles(config, kind);
  if (keyFile === undefined) {
    throw new StationError('bad-key-file', `${privateKey} is not there: nothing can be renewed`);
  }
  return wanted(kind, keyFile, nextName(certificate, privateKey));
}

/**
 * A new key; the one that an earlier command made, where that still waits for its certificate.
 * Throws StationError.
 */
export async function newKey(
  config: StationConfig,
  kind: SigningKind,
  { clock, entropy }: RotationSeams,
): Promise<Wanted> {
  const { privateKey, certificate } = namedFiles(config, kind);
  const waiting = keysWithoutCertificate(config, kind)[0];
  if (waiting !== undefined) return wantedFor(config, kind, waiting);
  requireRoom(config, kind, clock);
  const file = nextName(privateKey, certificate);
  // Whole or not at all: a station that starts meanwhile reads it.
  await createFile(file, privateKeyPem(drawP256Key(entropy)), 0o600);
  const keyFile = { file, signingKey: readSigningKey(opensslPrimitives, file) };
  return wantedFor(config, kind, keyFile);
}

export function keysWithoutCertificate(
  config: StationConfig,
  kind: SigningKind,
): readonly KeyFile[] {
  const files = readSigningFiles(config, kind, opensslPrimitives);
  return files.keys.filter((one) => {
    return !files.certificates.some((other) => keyOf({ keys: [one] }, other) !== undefined);
  });
}

/** By the CA's desk, where its folder is on this machine. Throws CaError. */
export async function certify(
  config: StationConfig,
  caFolder: string,
  { kind, keyFile, certificateFile }: Wanted,
  seams: RotationSeams,
): Promise<void> {
  const authority = await CertificateAuthority.open(caFolder, seams);
  const { publicKey } = keyFile.signingKey;
  const der = await authority.issue({ role: `station-${kind}`, name: config.name, publicKey });
  await replaceFile(certificateFile, der, 0o644);
}

/** What the operator takes to the CA's desk, where that is elsewhere. */
export function issueCommand(config: StationConfig, { kind, ...files }: Wanted): string {
  return (
    `keytolld ca issue CA --role station-${kind} --name ${config.name} ` +
    `--public-key ${files.publicKeyFile} --out ${files.certificateFile}`
  );
}

/** For a key without a certificate: the one of its number. */
export function wantedFor(config: StationConfig, kind: SigningKind, keyFile: KeyFile): Wanted {
  const { certificate } = namedFiles(config, kind);
  return wanted(kind, keyFile, besides(certificate, keyFile.file));
}

function wanted(kind: SigningKind, keyFile: KeyFile, certificateFile: string): Wanted {
  const publicKeyFile = `${keyFile.file}.pub`;
  if (!existsSync(publicKeyFile)) {
    const spki = subjectPublicKeyInfo(keyFile.signingKey.publicKey);
    writeNew(publicKeyFile, encodePem('PUBLIC KEY', spki), 0o644);
  }
  return { kind, keyFile, publicKeyFile, certificateFile };
}

/** Others are told of so many former certificates: none that is needed may fall out. */
function requireRoom(config: StationConfig, kind: SigningKind, clock: Clock): void {
  const seams = { primitives: opensslPrimitives, clock };
  const trust = openTrust(config, seams);
  const current = pairInUse(config, readSigningFiles(config, kind, opensslPrimitives), trust);
  const needed = neededBesides(config, kind, current?.certificate.der, trust, clock);
  const first = needed.at(-1);
  if (needed.length < formerCertificatesMost || first === undefined) return;
  const until = new Date(Number(first.until) * 1_000).toISOString().slice(0, 10);
  throw new StationError(
    'command-failed',
    `${formerCertificatesMost} former ${kind} certificates are still needed, ` +
      `${basename(first.file)} until ${until}: no further one before that day`,
  );
}
