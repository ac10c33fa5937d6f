/** What a station runs on that ends: certificates, the CA's root and list, its devices' papers. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import type { Trust } from '../network/trust.ts';
import { opensslPrimitives } from '../openssl-primitives.ts';
import type { StationConfig } from './config.ts';
import { newestFirst, type Identity } from './identity.ts';
import type { Log } from './log.ts';
import {
  keyOf,
  readCertificates,
  readSigningFiles,
  signingKinds,
  type SigningKind,
} from './signing-files.ts';

/** `void`: it ended, or was revoked. */
export type Urgency = 'none' | 'soon' | 'urgent' | 'void';

export interface Expiry {
  readonly what: string;
  /** ISO 8601. */
  readonly ends: string;
  readonly urgency: Urgency;
  /** What an operator can do about it. */
  readonly advice: string;
}

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Certificates: time for a letter to the CA, and none to lose. */
const certificateTimes = [30 * dayMs, 7 * dayMs] as const;
/** A list is good for a day and renewed half way: then its renewal has failed for hours. */
const listTimes = [8 * hourMs, 2 * hourMs] as const;
const tellEveryMs = 12 * hourMs;

export interface Expiring {
  readonly config: StationConfig;
  readonly identity: Pick<Identity, 'coinCertificate' | 'documentCertificate'>;
  readonly trust: Trust;
  readonly clock: Clock;
}

export function expiriesOf({ config, identity, trust, clock }: Expiring): readonly Expiry[] {
  const nowMs = clock.nowMs();
  const own = signingKinds.map((kind): Expiry => {
    const der = identity[`${kind}Certificate`];
    return ownExpiry(config, kind, der, trust, nowMs);
  });
  const root = endOf('root certificate of the CA', Number(trust.root.notAfter) * 1_000, nowMs);
  const advice = 'a new CA has to certify every station and user; ask the CA';
  return [
    ...own,
    { ...root, advice },
    ...listExpiry(config, trust, nowMs),
    ...ofDevices(config, nowMs),
  ];
}

function ownExpiry(
  config: StationConfig,
  kind: SigningKind,
  der: Uint8Array,
  trust: Trust,
  nowMs: number,
): Expiry {
  const { name, file } = config;
  const { notBefore, notAfter } = parseCertificate(der);
  const check = trust.check(der, `station-${kind}`, name, 'any');
  const isRevoked = !check.ok && check.reason === 'revoked';
  const end = endOf(`${kind} certificate`, Number(notAfter) * 1_000, nowMs);
  const command = (verb: string): string => `keytolld keys ${verb} ${kind} --config ${file}`;
  const next = nextOf(config, kind, notBefore);
  if (next !== undefined) {
    const advice = `restart the station, which signs under ${next} then`;
    return { ...end, urgency: end.urgency === 'none' ? 'soon' : end.urgency, advice };
  }
  return isRevoked
    ? { ...end, what: `revoked ${end.what}`, urgency: 'void', advice: command('rotate') }
    : { ...end, advice: command('renew') };
}

/** The file of a newer certificate that counts from the next start on. */
function nextOf(config: StationConfig, kind: SigningKind, notBefore: bigint): string | undefined {
  try {
    const newer = newestFirst(readCertificates(config, kind)).filter(
      ({ certificate }) => certificate.notBefore > notBefore,
    );
    if (newer.length === 0) return undefined;
    const files = readSigningFiles(config, kind, opensslPrimitives);
    return newer.find((one) => keyOf(files, one) !== undefined)?.file;
  } catch {
    // A start says what cannot be read.
    return undefined;
  }
}

function listExpiry(config: StationConfig, { crl }: Trust, nowMs: number): readonly Expiry[] {
  if (crl === undefined) return [];
  const { folder } = config.ca;
  const file = config.path(config.ca.crl);
  const advice =
    folder === undefined
      ? `put the CA's newest list into ${file}; there: keytolld ca crl CA --out crl.der`
      : `the CA in ${config.path(folder)} should have made a new one: see this station's log`;
  const what = `CRL ${crl.number}`;
  const end = endOf(what, Number(crl.nextUpdate) * 1_000, nowMs, listTimes);
  return [{ ...end, advice }];
}

/** The key managers' papers are of another CA, and read anew while the station runs. */
function ofDevices(config: StationConfig, nowMs: number): readonly Expiry[] {
  return config.neighbour.flatMap(({ name, qkd }) => {
    const files = [
      ['certificate', qkd.certificate],
      ['CA', qkd.ca],
    ] as const;
    return files.flatMap(([what, named]) => {
      const file = config.path(named);
      const endMs = endOfPem(file);
      if (endMs === undefined) return [];
      const advice = `put a new one of the device's CA into ${file}; it counts within seconds`;
      return [{ ...endOf(`QKD ${what} to ${name}`, endMs, nowMs), advice }];
    });
  });
}

function endOfPem(file: string): number | undefined {
  try {
    return Date.parse(new X509Certificate(readFileSync(file)).validTo);
  } catch {
    // A device without such a file; one that needs it says so itself.
    return undefined;
  }
}

function endOf(
  what: string,
  endMs: number,
  nowMs: number,
  [soon, urgent]: readonly [number, number] = certificateTimes,
): Omit<Expiry, 'advice'> {
  const left = endMs - nowMs;
  const urgency = left < 0 ? 'void' : left < urgent ? 'urgent' : left < soon ? 'soon' : 'none';
  return { what, ends: new Date(endMs).toISOString(), urgency };
}

/** For people, where there is something to do. */
export function expiryWords({ what, ends, urgency, advice }: Expiry): string | undefined {
  if (urgency === 'none') return undefined;
  const says = { soon: 'ends on', urgent: 'ENDS ON', void: 'does not hold; it ends or ended on' };
  return `${what} ${says[urgency]} ${ends}: ${advice}`;
}

/** Tells the log what ends soon, now and twice a day; until what it returns is called. */
export function watchExpiries(expiring: Expiring, log: Log): () => void {
  let cancel: () => void = () => undefined;
  const tell = (): void => {
    for (const expiry of expiriesOf(expiring)) {
      const words = expiryWords(expiry);
      if (words !== undefined) log.warn({ ends: expiry.ends }, words);
    }
    cancel = expiring.clock.after(tellEveryMs, tell);
  };
  tell();
  return () => {
    cancel();
  };
}
