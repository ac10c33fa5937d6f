/** What an operator asks of a station's signing keys: which is in use, which is needed still. */
import { statSync } from 'node:fs';
import { toHex } from '../../applet-spec/bytes.ts';
import { opensslPrimitives } from '../openssl-primitives.ts';
import type { Trust } from '../network/trust.ts';
import type { StationConfig } from './config.ts';
import {
  neededBesides,
  newestFirst,
  openSecondsMost,
  pairInUse,
  type SigningPair,
} from './identity.ts';
import type { StationStatus } from './station-status.ts';
import {
  issueCommand,
  keysWithoutCertificate,
  wantedFor,
  type RotationSeams,
} from './key-rotation.ts';
import {
  keyOf,
  readSigningFiles,
  signingKinds,
  type CertificateFile,
  type SigningFiles,
  type SigningKind,
} from './signing-files.ts';

export interface CertificateReport {
  readonly kind: SigningKind;
  readonly file: string;
  readonly privateKey?: string;
  /** Hexadecimal, as `keytolld ca list` shows it. */
  readonly serial: string;
  readonly notBefore: string;
  readonly notAfter: string;
  /** `after restart`: the running station signs with another until it starts anew. */
  readonly state: 'in use' | 'after restart' | 'former' | 'revoked';
  /** Former ones: until then others are told of it. */
  readonly neededUntil?: string;
}

export interface KeyReport {
  readonly certificates: readonly CertificateReport[];
  /** Keys without a certificate, and the command that gives them one. */
  readonly waiting: readonly {
    readonly kind: SigningKind;
    readonly file: string;
    readonly issue: string;
  }[];
  /** Private keys that sign nothing any more, or nothing from a day on. */
  readonly superfluous: readonly { readonly file: string; readonly from: string }[];
}

/**
 * `running` is what the station signs with now, where it runs. Throws StationError where a file is
 * not what its name says.
 */
export function keyReport(
  config: StationConfig,
  trust: Trust,
  seams: RotationSeams,
  running?: StationStatus['signsWith'],
): KeyReport {
  const kinds = signingKinds.map((kind) => {
    const files = readSigningFiles(config, kind, opensslPrimitives);
    const current = pairInUse(config, files, trust);
    return { kind, files, current, serial: running?.[kind] };
  });
  return {
    certificates: kinds.flatMap((one) => certificatesOf(config, one, trust, seams)),
    waiting: kinds.flatMap(({ kind }) =>
      keysWithoutCertificate(config, kind).map((keyFile) => ({
        kind,
        file: keyFile.file,
        issue: issueCommand(config, wantedFor(config, kind, keyFile)),
      })),
    ),
    superfluous: kinds.flatMap((one) => superfluousOf(one, seams)),
  };
}

interface Kind {
  readonly kind: SigningKind;
  readonly files: SigningFiles;
  /** What a station that starts now signs with. */
  readonly current: SigningPair | undefined;
  /** Of the certificate that the running one signs with. */
  readonly serial: string | undefined;
}

function certificatesOf(
  config: StationConfig,
  { kind, files, current, serial }: Kind,
  trust: Trust,
  { clock }: RotationSeams,
): readonly CertificateReport[] {
  const needed = neededBesides(config, kind, current?.certificate.der, trust, clock);
  return newestFirst(files.certificates).map((one) => {
    const { notBefore, notAfter, serialNumber, der } = one.certificate;
    const check = trust.check(der, files.role, config.name, 'any');
    const privateKey = keyOf(files, one)?.file;
    const until = needed.find(({ file }) => file === one.file)?.until;
    const isRevoked = !check.ok && check.reason === 'revoked';
    const isNewest = one.file === current?.file;
    const isUsed = serial === undefined ? isNewest : serial === toHex(serialNumber);
    const rest = isNewest ? 'after restart' : 'former';
    const state = isRevoked ? 'revoked' : isUsed ? 'in use' : rest;
    return {
      kind,
      file: one.file,
      ...(privateKey !== undefined && { privateKey }),
      serial: toHex(serialNumber),
      notBefore: dayOf(notBefore),
      notAfter: dayOf(notAfter),
      state,
      ...(until !== undefined && state !== 'in use' && { neededUntil: dayOf(until) }),
    };
  });
}

/**
 * A former coin key signs nothing. A former document key decides the payments whose quotes name it:
 * for 31 days after its successor came.
 */
function superfluousOf({ kind, files, current, serial }: Kind, { clock }: RotationSeams) {
  if (current === undefined) return [];
  const since = inUseSince(current);
  const from = kind === 'coin' ? since : since + openSecondsMost;
  const isPast = from <= BigInt(Math.floor(clock.nowMs() / 1_000));
  return files.keys
    .filter((one) => one.file !== current.keyFile.file)
    .filter((one) => {
      const its = files.certificates.filter((other) => keyOf({ keys: [one] }, other));
      const isUsed = its.some(({ certificate }) => toHex(certificate.serialNumber) === serial);
      return its.length > 0 && !isUsed;
    })
    .map(({ file }) => ({ file, from: isPast ? 'now' : `from ${dayOf(from)} on` }));
}

/** It came into its folder then, and a station may have used its predecessor until then. */
function inUseSince({ file, certificate }: CertificateFile): bigint {
  const placed = BigInt(Math.floor(statSync(file).mtimeMs / 1_000));
  return placed > certificate.notBefore ? placed : certificate.notBefore;
}

function dayOf(seconds: bigint): string {
  return new Date(Number(seconds) * 1_000).toISOString().slice(0, 10);
}
