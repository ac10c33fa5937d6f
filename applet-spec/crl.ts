/**
 * The CA's list of revoked certificates (RFC 5280 §5): complete, numbered, and good for a day.
 * Rules and reasons: `certificates.md`.
 */
import { equalBytes, toHex } from './bytes.ts';
import type { Certificate } from './certificate.ts';
import { CertificateError } from './certificate-error.ts';
import { DerReader, derTags, derTime, derUint, derWhole } from './der.ts';
import { issuerKey } from './issuer-key.ts';
import { limits } from './limits.ts';
import type { Primitives } from './primitives.ts';
import {
  readAuthorityKeyId,
  readEnvelope,
  readExtensions,
  readSerialNumber,
  readSignatureAlgorithm,
  reading,
  verifyEnvelope,
  type Extension,
} from './x509.ts';

export interface Crl {
  /** The whole list, as received. */
  readonly der: Uint8Array;
  /** DER of the CA's name. */
  readonly issuer: Uint8Array;
  /** Hexadecimal. */
  readonly authorityKeyId: string | undefined;
  /** Rises with every list of the CA. */
  readonly number: bigint;
  /** Unix seconds. */
  readonly thisUpdate: bigint;
  readonly nextUpdate: bigint;
  /** Serial numbers: lower-case hexadecimal, no leading zero byte. */
  readonly revoked: ReadonlySet<string>;
  readonly tbs: Uint8Array;
  /** r ‖ s, 64 bytes. */
  readonly signature: Uint8Array;
}

/** No list is fresh for longer, whatever its nextUpdate promises. */
export const crlFreshSeconds = 86_400n;
/** Bound and default of the grace that a station grants a list past its time. */
export const crlGraceMostSeconds = 86_400n;
export const crlGraceSeconds = 21_600n;

/** Throws CertificateError for anything but the DER of a complete, numbered v2 list. */
export function parseCrl(der: Uint8Array): Crl {
  return reading(der, limits.crlBytes, 'CRL', () => readCrl(new Uint8Array(der)));
}

/** Lists that verified, with the root that they did under: a list is immutable, and may be long. */
const verified = new WeakMap<Crl, Certificate>();

/** Whether the root signed this list, and may sign lists. */
export function verifyCrl(primitives: Primitives, crl: Crl, root: Certificate): boolean {
  if (verified.get(crl) === root) return true;
  const otherKey = crl.authorityKeyId !== undefined && crl.authorityKeyId !== root.subjectKeyId;
  if (otherKey || !equalBytes(crl.issuer, root.subject)) return false;
  if (!root.isCa || !root.keyUsage.has('cRLSign')) return false;
  if (!verifyEnvelope(crl, issuerKey(primitives, root))) return false;
  verified.set(crl, root);
  return true;
}

/**
 * Whether `offered` replaces `held`: its number is higher. A list that goes back would bring
 * revoked certificates to life. Both must have been verified under the same root.
 */
export function newerCrl(held: Crl | undefined, offered: Crl): boolean {
  return held === undefined || offered.number > held.number;
}

export type CrlFreshness = 'future' | 'fresh' | 'grace' | 'stale';

/** Throws RangeError for a grace of more than a day, or below zero. */
export function crlFreshness(
  crl: Pick<Crl, 'thisUpdate' | 'nextUpdate'>,
  nowSeconds: bigint,
  graceSeconds: bigint = crlGraceSeconds,
): CrlFreshness {
  const servesUntil = crlServesUntil(crl, graceSeconds);
  if (nowSeconds < crl.thisUpdate) return 'future';
  if (nowSeconds <= servesUntil - graceSeconds) return 'fresh';
  return nowSeconds <= servesUntil ? 'grace' : 'stale';
}

/**
 * The last second at which a list is of use, grace included. Throws RangeError as `crlFreshness`
 * does.
 */
export function crlServesUntil(
  crl: Pick<Crl, 'thisUpdate' | 'nextUpdate'>,
  graceSeconds: bigint = crlGraceSeconds,
): bigint {
  if (graceSeconds < 0n || graceSeconds > crlGraceMostSeconds) {
    throw new RangeError(`a CRL grace of ${graceSeconds} s; 0 to ${crlGraceMostSeconds}`);
  }
  const dayLater = crl.thisUpdate + crlFreshSeconds;
  return (crl.nextUpdate < dayLater ? crl.nextUpdate : dayLater) + graceSeconds;
}

function readCrl(der: Uint8Array): Crl {
  const { tbs, tbsContent, signature } = readEnvelope(der, 'CRL');
  const fields = new DerReader(tbsContent, 'tbs');
  const version = fields.optional(derTags.integer, 'version');
  if (version?.content.length !== 1 || version.content[0] !== 1) {
    throw new CertificateError('unsupported', 'a CRL that is not of version 2');
  }
  readSignatureAlgorithm(fields);
  const issuer = fields.read(derTags.sequence, 'issuer').whole.slice();
  const thisUpdate = derTime(fields.any(), 'thisUpdate');
  const nextUpdate = derTime(fields.any(), 'nextUpdate');
  const entries = fields.optional(derTags.sequence, 'revoked certificates');
  const revoked = entries === undefined ? new Set<string>() : readEntries(entries.content);
  const extensions = readExtensions(fields.read(0xa0, 'extensions').content);
  fields.end();
  const { number, authorityKeyId } = meaningOf(extensions);
  const dates = { thisUpdate, nextUpdate };
  return { der, issuer, authorityKeyId, number, ...dates, revoked, tbs, signature };
}

/** At least one entry: an empty list is left out (RFC 5280 §5.1.2.6). */
function readEntries(bytes: Uint8Array): ReadonlySet<string> {
  const list = new DerReader(bytes, 'revoked certificates');
  const revoked = new Set<string>();
  do {
    const entry = list.sequence('revoked certificate');
    revoked.add(toHex(readSerialNumber(entry)));
    derTime(entry.any(), 'revocation date');
    if (!entry.atEnd) {
      refuseCritical(readExtensions(entry.read(derTags.sequence, 'entry extensions').whole));
    }
    entry.end();
  } while (!list.atEnd);
  return revoked;
}

const crlNumber = '2.5.29.20';
const authorityKeyIdentifier = '2.5.29.35';

function meaningOf(extensions: readonly Extension[]): Pick<Crl, 'number' | 'authorityKeyId'> {
  // Deltas and partial lists say so in critical extensions, and are refused here.
  refuseCritical(extensions);
  const numbered = extensions.find(({ oid }) => oid === crlNumber);
  if (numbered === undefined) throw new CertificateError('unsupported', 'a CRL without a number');
  const { content } = derWhole(numbered.value, derTags.integer, 'CRL number');
  const keyed = extensions.find(({ oid }) => oid === authorityKeyIdentifier);
  return {
    number: derUint(content, 'CRL number'),
    authorityKeyId: keyed && readAuthorityKeyId(keyed.value),
  };
}

/** RFC 5280 §5.2: a list with a critical extension that is not understood is not used. */
function refuseCritical(extensions: readonly Extension[]): void {
  const critical = extensions.find((extension) => extension.critical);
  if (critical === undefined) return;
  throw new CertificateError('unsupported', `a CRL with the critical extension ${critical.oid}`);
}
