/**
 * Certificates and CRLs in the making: the one place that knows @peculiar/x509, which issues well
 * and judges badly (it builds chains over expired issuers); reading is `applet-
 * spec/certificate.ts`.
 */
import 'reflect-metadata';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
  X509CrlGenerator,
  X509CrlReason,
  type JsonGeneralName,
} from '@peculiar/x509';
import { concatBytes, fromHex, toHex, wipe } from '../../applet-spec/bytes.ts';
import { subjectPublicKeyInfo, type CertificateRole } from '../../applet-spec/certificate.ts';
import { roleUsages } from '../../applet-spec/certificate-roles.ts';
import { hardwareModuleNames } from '../../applet-spec/hardware-module-name.ts';
import { encodeTlv } from '../../applet-spec/tlv.ts';
import { pkcs8Of, type P256KeyPair } from './p256-key-file.ts';
import type { RevocationReason } from './revocation-reason.ts';

const ecdsaSha256 = { name: 'ECDSA', hash: 'SHA-256' };

export interface Validity {
  /** Unix seconds, both within. */
  readonly notBefore: bigint;
  readonly notAfter: bigint;
}

/** A root certificate's name and keys, ready to sign. */
export interface X509Issuer {
  /** DER of the root's subject. */
  readonly subject: Uint8Array;
  readonly keys: P256KeyPair;
}

export interface LeafContent extends Validity {
  readonly serialNumber: Uint8Array;
  readonly role: CertificateRole;
  readonly name: string;
  readonly alternativeNames: readonly string[];
  readonly publicKey: Uint8Array;
}

export interface CrlContent {
  readonly number: bigint;
  readonly thisUpdate: bigint;
  readonly nextUpdate: bigint;
  readonly revoked: readonly {
    /** Hexadecimal. */
    readonly serialNumber: string;
    readonly revokedAt: bigint;
    readonly reason: RevocationReason;
  }[];
}

/** DER of a self-signed root that may sign end entities only (path length 0) and lists. */
export async function writeRoot(
  issuer: X509Issuer,
  content: Validity & { readonly serialNumber: Uint8Array },
): Promise<Uint8Array> {
  const spki = Buffer.from(subjectPublicKeyInfo(issuer.keys.publicKey));
  const certificate = await X509CertificateGenerator.create({
    ...(await signing(issuer)),
    serialNumber: toHex(content.serialNumber),
    subject: nameOf(issuer),
    issuer: nameOf(issuer),
    notBefore: toDate(content.notBefore),
    notAfter: toDate(content.notAfter),
    publicKey: spki,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(spki),
    ],
  });
  return new Uint8Array(certificate.rawData);
}

/** DER of an end entity's certificate, in the profile of its role. */
export async function writeLeaf(issuer: X509Issuer, content: LeafContent): Promise<Uint8Array> {
  const spki = Buffer.from(subjectPublicKeyInfo(content.publicKey));
  const issuerSpki = Buffer.from(subjectPublicKeyInfo(issuer.keys.publicKey));
  const certificate = await X509CertificateGenerator.create({
    ...(await signing(issuer)),
    serialNumber: toHex(content.serialNumber),
    subject: [{ CN: [content.name] }],
    issuer: nameOf(issuer),
    notBefore: toDate(content.notBefore),
    notAfter: toDate(content.notAfter),
    publicKey: spki,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([...roleUsages[content.role]], true),
      alternativeNamesOf(content),
      await SubjectKeyIdentifierExtension.create(spki),
      await AuthorityKeyIdentifierExtension.create(issuerSpki),
    ],
  });
  return new Uint8Array(certificate.rawData);
}

/** DER of a complete list. */
export async function writeCrl(issuer: X509Issuer, content: CrlContent): Promise<Uint8Array> {
  const issuerSpki = Buffer.from(subjectPublicKeyInfo(issuer.keys.publicKey));
  const crl = await X509CrlGenerator.create({
    ...(await signing(issuer)),
    issuer: nameOf(issuer),
    thisUpdate: toDate(content.thisUpdate),
    nextUpdate: toDate(content.nextUpdate),
    entries: content.revoked.map(({ serialNumber, revokedAt, reason }) => ({
      serialNumber,
      revocationDate: toDate(revokedAt),
      // Every entry has a reason: without one the library writes an empty list of extensions.
      reason: reasonCodes[reason],
    })),
    extensions: [
      await AuthorityKeyIdentifierExtension.create(issuerSpki),
      new Extension('2.5.29.20', false, Buffer.from(derInteger(content.number))),
    ],
  });
  return new Uint8Array(crl.rawData);
}

/** DER of a Name of one common name. */
export function commonName(text: string): Uint8Array {
  return new Uint8Array(new Name([{ CN: [text] }]).toArrayBuffer());
}

function nameOf(issuer: X509Issuer): Name {
  return new Name(Buffer.from(issuer.subject));
}

const reasonCodes: Readonly<Record<RevocationReason, X509CrlReason>> = {
  'key-compromise': X509CrlReason.keyCompromise,
  superseded: X509CrlReason.superseded,
  'cessation-of-operation': X509CrlReason.cessationOfOperation,
};

/** The library has no hardwareModuleName, so a card's name is written by the specification. */
function alternativeNamesOf(content: LeafContent): Extension {
  if (content.role !== 'card-device') {
    return new SubjectAlternativeNameExtension(generalNames(content));
  }
  const names = hardwareModuleNames(fromHex(content.name));
  return new Extension('2.5.29.17', false, Buffer.from(names));
}

function generalNames({ role, name, alternativeNames }: LeafContent): JsonGeneralName[] {
  if (role === 'user') return [{ type: 'email', value: name }];
  const further = alternativeNames.map((value): JsonGeneralName => {
    return { type: isIP(value) === 0 ? 'dns' : 'ip', value };
  });
  return [{ type: 'dns', value: name }, ...further];
}

async function signing({ keys }: X509Issuer) {
  const pkcs8 = pkcs8Of(keys.privateKey);
  const curve = { name: 'ECDSA', namedCurve: 'P-256' };
  try {
    const signingKey = await crypto.subtle.importKey('pkcs8', pkcs8, curve, false, ['sign']);
    return { signingKey, signingAlgorithm: ecdsaSha256 };
  } finally {
    wipe(pkcs8);
  }
}

function toDate(unixSeconds: bigint): Date {
  return new Date(Number(unixSeconds) * 1000);
}

function derInteger(value: bigint): Uint8Array {
  const digits = value.toString(16);
  const magnitude = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  const signed = (magnitude[0] ?? 0) >= 0x80 ? concatBytes(Uint8Array.of(0), magnitude) : magnitude;
  return encodeTlv(0x02, signed);
}
