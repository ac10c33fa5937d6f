/**
 * What certificates and CRLs share (RFC 5280): the signed envelope, the one signature algorithm,
 * and extensions. P-256 with ECDSA and SHA-256 only; another algorithm is another `X509Algorithm`.
 */
import { bytesToUint, concatBytes, equalBytes, fromHex, toHex, uintToBytes } from './bytes.ts';
import { CertificateError } from './certificate-error.ts';
import {
  DerReader,
  derBitBytes,
  derBoolean,
  derOid,
  derPositive,
  derTags,
  derWhole,
  shortMagnitude,
} from './der.ts';
import type { VerifyingKey } from './primitives.ts';
import { TlvError } from './tlv-error.ts';

export type X509Algorithm = 'ecdsa-p256-sha256';

/** AlgorithmIdentifier of ecdsa-with-SHA256, without parameters (RFC 5758 §3.2). */
const ecdsaSha256 = fromHex('300a06082a8648ce3d040302');
const p256Order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

export interface SignedEnvelope {
  readonly algorithm: X509Algorithm;
  /** The signed bytes, tag and length included. */
  readonly tbs: Uint8Array;
  readonly tbsContent: Uint8Array;
  /** r ‖ s, 64 bytes; s as the CA wrote it, in either half. */
  readonly signature: Uint8Array;
}

export interface Extension {
  readonly oid: string;
  readonly critical: boolean;
  /** The DER inside the OCTET STRING. */
  readonly value: Uint8Array;
}

/**
 * SEQUENCE { tbs, algorithm, BIT STRING of the signature }, and nothing behind it. Throws TlvError.
 */
export function readEnvelope(der: Uint8Array, what: string): SignedEnvelope {
  const outer = new DerReader(derWhole(der, derTags.sequence, what).content, what);
  const tbs = outer.read(derTags.sequence, 'tbs');
  const algorithm = readSignatureAlgorithm(outer);
  const signature = derBitBytes(outer.read(derTags.bitString, 'signature').content, 'signature');
  outer.end();
  return {
    algorithm,
    tbs: tbs.whole.slice(),
    tbsContent: tbs.content,
    signature: plainSignature(signature),
  };
}

/** The AlgorithmIdentifier of a signature, outside and inside what is signed. */
export function readSignatureAlgorithm(reader: DerReader): X509Algorithm {
  const { whole } = reader.read(derTags.sequence, 'signature algorithm');
  if (equalBytes(whole, ecdsaSha256)) return 'ecdsa-p256-sha256';
  throw new CertificateError('unsupported', 'a signature other than ECDSA with SHA-256');
}

/** Extensions ::= SEQUENCE SIZE (1..MAX); each at most once (RFC 5280 §4.2). */
export function readExtensions(bytes: Uint8Array): readonly Extension[] {
  const what = 'extensions';
  const list = new DerReader(derWhole(bytes, derTags.sequence, what).content, what);
  const extensions: Extension[] = [];
  do {
    const fields = list.sequence('extension');
    const oid = derOid(fields.read(derTags.objectIdentifier, 'extension').content, 'extension');
    const flag = fields.optional(derTags.boolean, 'critical');
    const critical = flag !== undefined && derBoolean(flag.content, 'critical');
    // X.690 §11.5: a DEFAULT value is not written.
    if (flag !== undefined && !critical) throw new TlvError('bad-value', oid, 'critical FALSE');
    const value = fields.read(derTags.octetString, oid).content.slice();
    fields.end();
    if (extensions.some((known) => known.oid === oid)) {
      throw new TlvError('bad-value', oid, 'an extension that is there twice');
    }
    extensions.push({ oid, critical, value });
  } while (!list.atEnd);
  return extensions;
}

/**
 * The keyIdentifier of an AuthorityKeyIdentifier (RFC 5280 §4.2.1.1); undefined where it has none.
 */
export function readAuthorityKeyId(value: Uint8Array): string | undefined {
  const what = 'authority key identifier';
  const fields = new DerReader(derWhole(value, derTags.sequence, what).content, what);
  const keyId = fields.optional(0x80, what);
  while (!fields.atEnd) fields.any();
  return keyId && toHex(keyId.content);
}

/** Runs a reader over at most `most` bytes, and turns what it throws into CertificateError. */
export function reading<T>(der: Uint8Array, most: number, what: string, read: () => T): T {
  if (der.length > most) {
    throw new CertificateError('too-large', `${what}: ${der.length} bytes, at most ${most}`);
  }
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TlvError)) throw error;
    throw new CertificateError('malformed', `${what}: ${error.message}`, error);
  }
}

/**
 * CAs leave s in either half, and `Primitives` verify the lower one alone: n − s signs the same.
 * The other half is another DER with another hash, so whoever changes it breaks what names the
 * first.
 */
export function verifyEnvelope(
  envelope: Pick<SignedEnvelope, 'tbs' | 'signature'>,
  issuerKey: VerifyingKey,
): boolean {
  const s = bytesToUint(envelope.signature.subarray(32));
  const lowS = s > p256Order >> 1n ? p256Order - s : s;
  const signature = concatBytes(envelope.signature.subarray(0, 32), uintToBytes(lowS, 32));
  return issuerKey.verify(envelope.tbs, signature);
}

/** r ‖ s of an Ecdsa-Sig-Value (RFC 5480 Appendix A). */
function plainSignature(der: Uint8Array): Uint8Array {
  const what = 'ECDSA signature';
  const fields = new DerReader(derWhole(der, derTags.sequence, what).content, what);
  const r = readScalar(fields, what);
  const s = readScalar(fields, what);
  fields.end();
  return concatBytes(r, s);
}

function readScalar(fields: DerReader, what: string): Uint8Array {
  const magnitude = derPositive(fields.read(derTags.integer, what).content, what);
  if (magnitude.length > 32 || bytesToUint(magnitude) >= p256Order) {
    throw new TlvError('bad-value', what, 'a number beyond the order of P-256');
  }
  return uintToBytes(bytesToUint(magnitude), 32);
}

/** Serial number (RFC 5280 §4.1.2.2): positive, at most 20 bytes. */
export function readSerialNumber(reader: DerReader): Uint8Array {
  const what = 'serial number';
  return shortMagnitude(derPositive(reader.read(derTags.integer, what).content, what), what);
}
