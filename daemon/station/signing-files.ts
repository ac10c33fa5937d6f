/**
 * A station's signing keys and certificates on disk. Beside the files that `station.toml` names lie
 * later ones, numbered: `coin.pem` and `coin-2.pem`, `coin.der` and `coin-3.der`. Which certificate
 * is for which key, they say themselves.
 */
import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { equalBytes } from '../../applet-spec/bytes.ts';
import { parseCertificate, type Certificate } from '../../applet-spec/certificate.ts';
import type { Primitives, SigningKey } from '../../applet-spec/primitives.ts';
import type { SigningRole } from '../network/station-certificates.ts';
import type { StationConfig } from './config.ts';
import { readCertificateFile, readSigningKey } from './key-files.ts';
import { StationError } from './station-error.ts';

export const signingKinds = ['coin', 'document'] as const;
export type SigningKind = (typeof signingKinds)[number];

export interface KeyFile {
  readonly file: string;
  readonly signingKey: SigningKey;
}

export interface CertificateFile {
  readonly file: string;
  readonly certificate: Certificate;
}

export interface SigningFiles {
  readonly role: SigningRole;
  /** In the order of their numbers. */
  readonly keys: readonly KeyFile[];
  readonly certificates: readonly CertificateFile[];
}

/** Throws StationError for a file that is not what its name says. */
export function readSigningFiles(
  config: StationConfig,
  kind: SigningKind,
  primitives: Primitives,
): SigningFiles {
  const { privateKey } = namedFiles(config, kind);
  return {
    role: `station-${kind}`,
    keys: numbered(privateKey).map((file) => ({
      file,
      signingKey: readSigningKey(primitives, file),
    })),
    certificates: readCertificates(config, kind),
  };
}

/** In the order of their numbers. Throws StationError. */
export function readCertificates(
  config: StationConfig,
  kind: SigningKind,
): readonly CertificateFile[] {
  const { certificate } = namedFiles(config, kind);
  return numbered(certificate).map((file) => ({ file, certificate: parsed(file) }));
}

export function namedFiles(config: StationConfig, kind: SigningKind) {
  const { keys } = config;
  return {
    privateKey: config.path(keys[kind]),
    certificate: config.path(keys[`${kind}-certificate`]),
  };
}

export function keyOf(
  { keys }: Pick<SigningFiles, 'keys'>,
  { certificate }: CertificateFile,
): KeyFile | undefined {
  return keys.find(({ signingKey }) => equalBytes(signingKey.publicKey, certificate.publicKey));
}

/** The next name that neither this file nor any of the others has, such as `coin-2.pem`. */
export function nextName(file: string, ...others: readonly string[]): string {
  const taken = [file, ...others].flatMap((one) => numbered(one).map((name) => numberOf(name)));
  return withNumber(file, Math.max(1, ...taken) + 1);
}

/** The same number in another row of files. */
export function besides(file: string, numberedFile: string): string {
  const number = numberOf(numberedFile);
  return number === 1 ? file : withNumber(file, number);
}

/** The file itself and its numbered successors, those that are there. */
function numbered(file: string): readonly string[] {
  const folder = dirname(file);
  if (!existsSync(folder)) return [];
  const [stem, ending] = [basename(file, extname(file)), extname(file)];
  return readdirSync(folder)
    .filter((name) => {
      if (name === basename(file)) return true;
      const isOurs = name.startsWith(`${stem}-`) && name.endsWith(ending);
      return isOurs && /^[1-9]\d{0,5}$/.test(name.slice(stem.length + 1, -ending.length));
    })
    .map((name) => join(folder, name))
    .sort((a, b) => numberOf(a) - numberOf(b));
}

function numberOf(file: string): number {
  const number = /-([1-9]\d{0,5})$/.exec(basename(file, extname(file)))?.[1];
  return number === undefined ? 1 : Number(number);
}

function withNumber(file: string, number: number): string {
  return join(dirname(file), `${basename(file, extname(file))}-${number}${extname(file)}`);
}

function parsed(file: string): Certificate {
  const der = readCertificateFile('CERTIFICATE', file);
  try {
    return parseCertificate(der);
  } catch (error) {
    const detail = error instanceof Error ? error.message : 'it does not parse';
    throw new StationError('certificate-not-valid', `${file}: ${detail}`, { cause: error });
  }
}
