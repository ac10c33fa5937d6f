/**
 * X.509 certificates (RFC 5280) of users and stations: reading and judging them. The CA's root
 * signs every certificate itself, so a chain is two long. Prose and profile: `certificates.md`.
 */
import { readAlternativeNames } from './alternative-names.ts';
import { concatBytes, equalBytes, fromHex, toHex } from './bytes.ts';
import { CertificateError } from './certificate-error.ts';
import { nameFor, roleOf } from './certificate-roles.ts';
import type { CertificateRole } from './certificate-roles.ts';
import { crlFreshness, verifyCrl, type Crl } from './crl.ts';
import {
  DerReader,
  derBoolean,
  derNamedBits,
  derOid,
  derTags,
  derTime,
  derUint,
  derWhole,
} from './der.ts';
import { issuerKey } from './issuer-key.ts';
import { limits } from './limits.ts';
import type { CardSerial, StationName, UserName } from './names.ts';
import type { Primitives } from './primitives.ts';
import { TlvError } from './tlv-error.ts';
import {
  readAuthorityKeyId,
  readEnvelope,
  readExtensions,
  readSerialNumber,
  readSignatureAlgorithm,
  reading,
  verifyEnvelope,
  type Extension,
  type X509Algorithm,
} from './x509.ts';

export type { CertificateRole } from './certificate-roles.ts';

export interface Certificate {
  /** The whole certificate, as received. */
  readonly der: Uint8Array;
  readonly algorithm: X509Algorithm;
  /** Big-endian, no leading zero, 1 to 20 bytes. */
  readonly serialNumber: Uint8Array;
  /** DER of the names; nothing in them is read but whether they are the same. */
  readonly issuer: Uint8Array;
  readonly subject: Uint8Array;
  /** Unix seconds, both within the validity. */
  readonly notBefore: bigint;
  readonly notAfter: bigint;
  /** Uncompressed point of P-256, 65 bytes; whether it lies on the curve shows at its import. */
  readonly publicKey: Uint8Array;
  /** `ca` where basicConstraints says so; undefined where the key usages are of no role of ours. */
  readonly role: CertificateRole | 'ca' | undefined;
  /** The subjectAltName that the role asks for; undefined where it has no such name. */
  readonly name: UserName | StationName | CardSerial | undefined;
  readonly isCa: boolean;
  readonly keyUsage: ReadonlySet<KeyUsage>;
  /** Hexadecimal. */
  readonly subjectKeyId: string | undefined;
  readonly authorityKeyId: string | undefined;
  /** Critical extensions that this reader does not know: grounds for refusal (RFC 5280 §4.2). */
  readonly unknownCritical: readonly string[];
  readonly tbs: Uint8Array;
  /** r ‖ s, 64 bytes. */
  readonly signature: Uint8Array;
}

/** In the order of their bits, RFC 5280 §4.2.1.3. */
const keyUsages = [
  'digitalSignature',
  'nonRepudiation',
  'keyEncipherment',
  'dataEncipherment',
  'keyAgreement',
  'keyCertSign',
  'cRLSign',
  'encipherOnly',
  'decipherOnly',
] as const;
export type KeyUsage = (typeof keyUsages)[number];

export type CertificateRefusal =
  /** Of another CA. */
  | 'foreign'
  | 'bad-signature'
  /** The root given is no CA certificate that may sign certificates. */
  | 'bad-root'
  | 'unknown-critical-extension'
  | 'wrong-key-usage'
  | 'wrong-role'
  | 'wrong-name'
  | 'not-yet-valid'
  | 'expired'
  | 'crl-missing'
  /** The CRL is not this root's, or its signature is not. */
  | 'crl-foreign'
  | 'crl-not-yet-valid'
  | 'crl-stale'
  | 'revoked';

export interface CertificateRefused {
  readonly ok: false;
  readonly reason: CertificateRefusal;
  /** For the log and the operator. */
  readonly detail: string;
}

export interface CertificateAccepted {
  readonly ok: true;
  /** The CRL is past its time and within the grace: the caller raises an alarm. */
  readonly crlInGrace: boolean;
}

export type CertificateVerdict = CertificateAccepted | CertificateRefused;

export interface IssuanceQuestion {
  readonly certificate: Certificate;
  /** The CA's root, pinned: it is believed because the operator or the card holds it. */
  readonly root: Certificate;
  readonly nowSeconds: bigint;
  /**
   * When its own dates must hold; now unless said otherwise. For what was signed at another time.
   */
  readonly atSeconds?: bigint;
  readonly role: CertificateRole;
  /** Where the caller knows whose certificate it must be. */
  readonly name?: string;
}

export interface CertificateQuestion extends IssuanceQuestion {
  /** The newest CRL at hand; without one nothing is valid. */
  readonly crl: Crl | undefined;
  /** How long a CRL serves past its time: 0 to 86,400 s, 6 hours unless said otherwise. */
  readonly graceSeconds?: bigint;
}

/**
 * Signature, extensions, role, name, dates and revocation; fails closed without a fresh CRL.
 * The CRL's signature is checked too, once. Throws RangeError for a grace beyond a day, and where
 * the root's key is no point of P-256.
 */
export function validateCertificate(
  primitives: Primitives,
  question: CertificateQuestion,
): CertificateVerdict {
  const { crl, root } = question;
  const refusal = issuanceRefusal(primitives, question);
  if (refusal !== undefined) return refusal;
  if (crl === undefined) return refuse('crl-missing', 'there is no CRL of the CA');
  if (!verifyCrl(primitives, crl, root)) {
    return refuse('crl-foreign', 'the CRL is not signed by the CA');
  }
  return revocationVerdict(crl, question);
}

/**
 * Everything that `validateCertificate` asks but revocation; undefined where there is no objection.
 */
export function issuanceRefusal(
  primitives: Primitives,
  question: IssuanceQuestion,
): CertificateRefused | undefined {
  return (
    rootRefusal(question) ??
    issuerRefusal(primitives, question) ??
    profileRefusal(question) ??
    dateRefusal(question)
  );
}

/** SHA-256 of the DER: how transactions and stores name a certificate. */
export function certificateHash(primitives: Primitives, der: Uint8Array): Uint8Array {
  return primitives.sha256(der);
}

/** Throws CertificateError for anything but the DER of a v3 certificate of a P-256 key. */
export function parseCertificate(der: Uint8Array): Certificate {
  return reading(der, limits.certificateBytes, 'certificate', () =>
    readCertificate(new Uint8Array(der)),
  );
}

/** SubjectPublicKeyInfo of an uncompressed P-256 point, up to the point (RFC 5480 §2). */
const spkiPrefix = fromHex('3059301306072a8648ce3d020106082a8648ce3d030107034200');

/** The SubjectPublicKeyInfo of a 65-byte point. */
export function subjectPublicKeyInfo(publicKey: Uint8Array): Uint8Array {
  return concatBytes(spkiPrefix, publicKey);
}

/** The 65-byte point of a SubjectPublicKeyInfo. Throws CertificateError for any other key. */
export function publicKeyOf(spki: Uint8Array): Uint8Array {
  const point = spki.slice(spkiPrefix.length);
  const known = equalBytes(spki.subarray(0, spkiPrefix.length), spkiPrefix);
  if (known && point.length === 65 && point[0] === 0x04) return point;
  throw new CertificateError('unsupported', 'a public key that is no uncompressed P-256 point');
}

function rootRefusal({ root, nowSeconds }: IssuanceQuestion): CertificateRefused | undefined {
  if (!root.isCa || !root.keyUsage.has('keyCertSign')) {
    return refuse('bad-root', 'the root may not sign certificates');
  }
  if (root.unknownCritical.length > 0) {
    return refuse('bad-root', `the root has the critical extension ${root.unknownCritical.join()}`);
  }
  if (nowSeconds < root.notBefore) return refuse('not-yet-valid', "the CA's root is of the future");
  if (nowSeconds > root.notAfter) return refuse('expired', "the CA's root has expired");
  return undefined;
}

function issuerRefusal(
  primitives: Primitives,
  { certificate, root }: IssuanceQuestion,
): CertificateRefused | undefined {
  const { authorityKeyId } = certificate;
  const otherKey = authorityKeyId !== undefined && authorityKeyId !== root.subjectKeyId;
  if (otherKey || !equalBytes(certificate.issuer, root.subject)) {
    return refuse('foreign', 'the certificate names another CA');
  }
  if (verifyEnvelope(certificate, issuerKey(primitives, root))) return undefined;
  return refuse('bad-signature', "the CA's signature does not verify");
}

function profileRefusal({
  certificate,
  role,
  name,
}: IssuanceQuestion): CertificateRefused | undefined {
  const { keyUsage, unknownCritical } = certificate;
  if (unknownCritical.length > 0) {
    return refuse('unknown-critical-extension', `critical extension ${unknownCritical.join()}`);
  }
  if (certificate.role !== role) {
    return refuse('wrong-role', `the certificate is for ${certificate.role ?? 'no role of ours'}`);
  }
  const signs = keyUsage.has('digitalSignature');
  if (!signs || keyUsage.has('keyCertSign') || keyUsage.has('cRLSign')) {
    return refuse('wrong-key-usage', 'the key is not one for signatures alone');
  }
  if (certificate.name === undefined) {
    return refuse('wrong-name', `the certificate has no name that fits a ${role}`);
  }
  if (name !== undefined && certificate.name !== name) {
    return refuse('wrong-name', `the certificate is of ${certificate.name}, not of ${name}`);
  }
  return undefined;
}

function dateRefusal({
  certificate,
  nowSeconds,
  atSeconds = nowSeconds,
}: IssuanceQuestion): CertificateRefused | undefined {
  const { notBefore, notAfter } = certificate;
  if (atSeconds < notBefore) return refuse('not-yet-valid', `valid from Unix time ${notBefore}`);
  if (atSeconds > notAfter) return refuse('expired', `valid until Unix time ${notAfter}`);
  return undefined;
}

function revocationVerdict(crl: Crl, question: CertificateQuestion): CertificateVerdict {
  // A listed certificate is revoked, however old the list.
  if (crl.revoked.has(toHex(question.certificate.serialNumber))) {
    return refuse('revoked', `revoked by CRL ${crl.number}`);
  }
  const freshness = crlFreshness(crl, question.nowSeconds, question.graceSeconds);
  if (freshness === 'future') {
    return refuse('crl-not-yet-valid', `CRL ${crl.number} is of Unix time ${crl.thisUpdate}`);
  }
  if (freshness === 'stale') {
    return refuse('crl-stale', `CRL ${crl.number} was to be replaced by ${crl.nextUpdate}`);
  }
  return { ok: true, crlInGrace: freshness === 'grace' };
}

function refuse(reason: CertificateRefusal, detail: string): CertificateRefused {
  return { ok: false, reason, detail };
}

function readCertificate(der: Uint8Array): Certificate {
  const { tbsContent, ...envelope } = readEnvelope(der, 'certificate');
  const fields = new DerReader(tbsContent, 'tbs');
  readVersion(fields);
  const serialNumber = readSerialNumber(fields);
  readSignatureAlgorithm(fields);
  const issuer = fields.read(derTags.sequence, 'issuer').whole.slice();
  const validity = fields.sequence('validity');
  const notBefore = derTime(validity.any(), 'notBefore');
  const notAfter = derTime(validity.any(), 'notAfter');
  validity.end();
  const subject = fields.read(derTags.sequence, 'subject').whole.slice();
  const publicKey = publicKeyOf(fields.read(derTags.sequence, 'public key').whole);
  const extensions = readExtensions(fields.read(0xa3, 'extensions').content);
  fields.end();
  const dates = { notBefore, notAfter };
  return {
    der,
    serialNumber,
    issuer,
    subject,
    ...dates,
    publicKey,
    ...envelope,
    ...meaningOf(extensions),
  };
}

function readVersion(fields: DerReader): void {
  const version = fields.optional(0xa0, 'version');
  const v3 = Uint8Array.of(derTags.integer, 1, 2);
  if (version === undefined || !equalBytes(version.content, v3)) {
    throw new CertificateError('unsupported', 'a certificate that is not of version 3');
  }
}

type Meaning = Pick<
  Certificate,
  'role' | 'name' | 'isCa' | 'keyUsage' | 'subjectKeyId' | 'authorityKeyId' | 'unknownCritical'
>;

function meaningOf(extensions: readonly Extension[]): Meaning {
  const known = new Map(extensions.map(({ oid, value }) => [oid, value]));
  const read = <T>(oid: string, reader: (value: Uint8Array) => T): T | undefined => {
    const value = known.get(oid);
    return value && reader(value);
  };
  const isCa = read('2.5.29.19', readBasicConstraints) ?? false;
  const names = read('2.5.29.17', readAlternativeNames) ?? [];
  const usages = read('2.5.29.37', readExtendedKeyUsage) ?? [];
  const role = isCa ? 'ca' : roleOf(usages);
  return {
    role,
    name: role === undefined || role === 'ca' ? undefined : nameFor(role, names),
    isCa,
    keyUsage: read('2.5.29.15', readKeyUsage) ?? new Set(),
    subjectKeyId: read('2.5.29.14', readSubjectKeyId),
    authorityKeyId: read('2.5.29.35', readAuthorityKeyId),
    unknownCritical: extensions
      .filter(({ critical, oid }) => critical && !readOids.has(oid))
      .map(({ oid }) => oid),
  };
}

const readOids: ReadonlySet<string> = new Set(
  ['14', '15', '17', '19', '35', '37'].map((arc) => `2.5.29.${arc}`),
);

/**
 * RFC 5280 §4.2.1.9. A path length is read and not needed: no certificate of ours signs another.
 */
function readBasicConstraints(value: Uint8Array): boolean {
  const what = 'basic constraints';
  const fields = new DerReader(derWhole(value, derTags.sequence, what).content, what);
  const flag = fields.optional(derTags.boolean, what);
  const isCa = flag !== undefined && derBoolean(flag.content, what);
  if (flag !== undefined && !isCa) throw new TlvError('bad-value', what, 'cA FALSE, written');
  const pathLength = fields.optional(derTags.integer, what);
  if (pathLength !== undefined) derUint(pathLength.content, what);
  fields.end();
  return isCa;
}

function readKeyUsage(value: Uint8Array): ReadonlySet<KeyUsage> {
  const { content } = derWhole(value, derTags.bitString, 'key usage');
  const bits = derNamedBits(content, 'key usage');
  return new Set(keyUsages.filter((_, bit) => bits.has(bit)));
}

function readExtendedKeyUsage(value: Uint8Array): readonly string[] {
  const what = 'extended key usage';
  const list = new DerReader(derWhole(value, derTags.sequence, what).content, what);
  const oids: string[] = [];
  do oids.push(derOid(list.read(derTags.objectIdentifier, what).content, what));
  while (!list.atEnd);
  return oids;
}

function readSubjectKeyId(value: Uint8Array): string {
  return toHex(derWhole(value, derTags.octetString, 'subject key identifier').content);
}
