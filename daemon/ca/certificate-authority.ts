/**
 * The CA's desk over a folder: it issues, revokes and lists. Time and chance are injected; what a
 * certificate or list must look like is `applet-spec/certificates.md`.
 */
import { isIP } from 'node:net';
import { toHex } from '../../applet-spec/bytes.ts';
import {
  certificateHash,
  issuanceRefusal,
  parseCertificate,
  type Certificate,
} from '../../applet-spec/certificate.ts';
import { CertificateError } from '../../applet-spec/certificate-error.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import { parseCrl, verifyCrl, type Crl } from '../../applet-spec/crl.ts';
import { limits } from '../../applet-spec/limits.ts';
import { isCardSerial, isStationName, isUserName } from '../../applet-spec/names.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { opensslPrimitives } from '../openssl-primitives.ts';
import { CaError } from './ca-error.ts';
import { CaFolder, type IssuedRecord, type RevokedRecord } from './ca-folder.ts';
import type { CertificateIssuer, CertificateRequest } from './certificate-issuer.ts';
import { drawP256Key, readPublicKeyFile, type P256KeyPair } from './p256-key-file.ts';
import type { RevocationReason } from './revocation-reason.ts';
import type { X509Issuer } from './x509-writer.ts';

export interface CaSeams {
  readonly clock: Clock;
  readonly entropy: Entropy;
}

export interface RevocationOutcome {
  readonly outcome: 'revoked' | 'already-revoked' | 'unknown-serial';
}

const daySeconds = 86_400n;
const hourSeconds = 3_600n;
const rootDays = 3_650;
const leafDays = 398;
const longestDays = 3_650;
/** So that the certificate stays below 1,024 bytes. */
const alternativeNamesMost = 4;
/** Everything starts a minute early: clocks of stations may differ by as much (design §7). */
const backdateSeconds = 60n;
/** A revoked certificate stays listed for a while after its end (RFC 5280 §3.3). */
const listedAfterEndSeconds = 7n * daySeconds;
/** A list is good for a day (design §3). */
export const crlHoursMost = 24;

export class CertificateAuthority implements CertificateIssuer {
  /** DER of the root certificate: what every station, card and host pins. */
  readonly root: Uint8Array;
  readonly #folder: CaFolder;
  readonly #issuer: X509Issuer;
  readonly #rootCertificate: Certificate;
  readonly #clock: Clock;
  readonly #entropy: Entropy;

  /**
   * Makes a CA in a folder that is new or empty, and its first list. `name` is the root's common
   * name, such as the network's. Throws CaError.
   */
  static async init(
    path: string,
    options: CaSeams & { readonly name: string; readonly days?: number },
  ): Promise<CertificateAuthority> {
    const { name } = options;
    if (!/^[\x20-\x7e]{1,64}$/.test(name) || name.trim() !== name) {
      throw new CaError('bad-request', 'the name of a CA is 1 to 64 printable ASCII characters');
    }
    const { commonName, writeRoot } = await writers();
    const issuer = { subject: commonName(name), keys: drawP256Key(options.entropy) };
    const now = secondsOf(options.clock);
    const serialNumber = drawSerialNumber(options.entropy);
    const notAfter = now + daySeconds * BigInt(wholeDays(options.days ?? rootDays));
    const notBefore = now - backdateSeconds;
    const root = await writeRoot(issuer, { serialNumber, notBefore, notAfter });
    const folder = new CaFolder(path);
    const ca = new CertificateAuthority(folder, issuer.keys, root, options);
    await folder.create(issuer.keys, root, await ca.#writeCrl(1n, [], crlHoursMost));
    return ca;
  }

  /** Throws CaError where there is no CA in the folder. */
  static async open(path: string, seams: CaSeams): Promise<CertificateAuthority> {
    const folder = new CaFolder(path);
    const { keys, root } = await folder.readRoot();
    return new CertificateAuthority(folder, keys, root, seams);
  }

  private constructor(folder: CaFolder, keys: P256KeyPair, root: Uint8Array, seams: CaSeams) {
    this.#folder = folder;
    this.root = root;
    this.#rootCertificate = readOwn(() => parseCertificate(root));
    if (toHex(this.#rootCertificate.publicKey) !== toHex(keys.publicKey)) {
      throw new CaError('folder-unusable', 'root.key.pem is not the key of root.pem');
    }
    this.#issuer = { subject: this.#rootCertificate.subject, keys };
    this.#clock = seams.clock;
    this.#entropy = seams.entropy;
  }

  /** Recorded before it is given out, so that every certificate can be revoked. Throws CaError. */
  async issue(request: CertificateRequest): Promise<Uint8Array> {
    checkRequest(request);
    const now = secondsOf(this.#clock);
    const wanted = now + daySeconds * BigInt(wholeDays(request.days ?? leafDays));
    const { notBefore, notAfter } = this.#rootCertificate;
    if (now > notAfter) throw new CaError('bad-request', 'the root has expired: make a new CA');
    const publicKey = readPublicKeyFile(request.publicKey);
    await this.#requireSoundKey(publicKey);
    const { writeLeaf } = await writers();
    const der = await writeLeaf(this.#issuer, {
      serialNumber: drawSerialNumber(this.#entropy),
      role: request.role,
      name: request.name,
      alternativeNames: request.alternativeNames ?? [],
      publicKey,
      notBefore: now - backdateSeconds > notBefore ? now - backdateSeconds : notBefore,
      notAfter: wanted < notAfter ? wanted : notAfter,
    });
    await this.#record(der, request, now);
    return der;
  }

  /** A user's certificate, for an enrolment desk in the same process. */
  async issueUser(publicKey: Uint8Array, name: string): Promise<Uint8Array> {
    return this.issue({ role: 'user', name, publicKey });
  }

  /** The register. */
  async issued(): Promise<(IssuedRecord & { readonly revoked: boolean })[]> {
    const revoked = new Set((await this.#folder.allRevoked()).map((entry) => entry.serialNumber));
    const issued = await this.#folder.allIssued();
    return issued.map((record) => ({ ...record, revoked: revoked.has(record.serialNumber) }));
  }

  /**
   * Revokes for ever, and publishes a list that says so; where the key was stolen, all certificates
   * of that key.
   */
  async revoke(
    serialNumber: Uint8Array,
    reason: RevocationReason = 'key-compromise',
  ): Promise<RevocationOutcome> {
    const serial = toHex(serialNumber).replace(/^(?:00)+/, '');
    const record = await this.#folder.issued(serial);
    if (record === undefined) return { outcome: 'unknown-serial' };
    const added = await this.#addRevoked(record, reason);
    if (reason === 'key-compromise') await this.#revokeKey(record.publicKeyHash);
    // Also after `already-revoked`: a crash may have come between record and list.
    await this.freshCrl();
    return { outcome: added ? 'revoked' : 'already-revoked' };
  }

  /** Who stole a key has it whatever certificate names it. */
  async #revokeKey(publicKeyHash: string): Promise<void> {
    for (const record of await this.#folder.allIssued()) {
      if (record.publicKeyHash === publicKeyHash) await this.#addRevoked(record, 'key-compromise');
    }
  }

  async #addRevoked(
    { serialNumber, notAfter, publicKeyHash }: IssuedRecord,
    reason: RevocationReason,
  ): Promise<boolean> {
    const revokedAt = secondsOf(this.#clock).toString();
    const record = { serialNumber, revokedAt, reason, notAfter, publicKeyHash };
    if (await this.#folder.addRevoked(record)) return true;
    const before = await this.#folder.revoked(serialNumber);
    if (before !== undefined && before.reason !== reason && reason === 'key-compromise') {
      await this.#folder.amendRevoked({ ...record, revokedAt: before.revokedAt });
    }
    return false;
  }

  /** Throws CaError for a key of which a certificate was revoked because it was stolen. */
  async #requireSoundKey(publicKey: Uint8Array): Promise<void> {
    const publicKeyHash = toHex(opensslPrimitives.sha256(publicKey));
    const stolen = (await this.#folder.allRevoked()).some(
      (one) => one.reason === 'key-compromise' && one.publicKeyHash === publicKeyHash,
    );
    if (!stolen) return;
    const words = 'this key was stolen, as its revoked certificate says: make a new one';
    throw new CaError('bad-request', words);
  }

  /** DER of a new list with the next number, good for 1 to 24 hours. Throws CaError. */
  async publishCrl(hours: number = crlHoursMost): Promise<Uint8Array> {
    if (!Number.isInteger(hours) || hours < 1 || hours > crlHoursMost) {
      throw new CaError('bad-request', `a list is good for 1 to ${String(crlHoursMost)} hours`);
    }
    for (;;) {
      // First the number, then the revocations: whoever revokes later needs a higher one.
      const number = (await this.#folder.crlNumber()) + 1n;
      const der = await this.#writeCrl(number, await this.#listed(), hours);
      if (await this.#folder.addCrl(number, der)) return der;
    }
  }

  /**
   * DER of the list in force where it is complete and less than half used up; of a new one
   * otherwise.
   */
  async freshCrl(): Promise<Uint8Array> {
    const number = await this.#folder.crlNumber();
    const listed = await this.#listed();
    const der = await this.#folder.readCrl(number);
    const crl = readOwn(() => parseCrl(der));
    const now = secondsOf(this.#clock);
    const complete = listed.every(({ serialNumber }) => crl.revoked.has(serialNumber));
    const young = now >= crl.thisUpdate && 2n * now < crl.thisUpdate + crl.nextUpdate;
    return complete && young ? der : this.publishCrl();
  }

  async #listed(): Promise<RevokedRecord[]> {
    const now = secondsOf(this.#clock);
    const revoked = await this.#folder.allRevoked();
    const listed: RevokedRecord[] = [];
    for (const one of revoked) {
      const isYoung = now <= BigInt(one.notAfter) + listedAfterEndSeconds;
      if (isYoung || (await this.#outlives(one))) listed.push(one);
    }
    return listed;
  }

  /** A station's signatures are looked at long after its certificate has ended. */
  async #outlives({ serialNumber }: RevokedRecord): Promise<boolean> {
    const role = (await this.#folder.issued(serialNumber))?.role;
    return role === 'station-coin' || role === 'station-document';
  }

  async #writeCrl(
    number: bigint,
    listed: readonly RevokedRecord[],
    hours: number,
  ): Promise<Uint8Array> {
    const thisUpdate = secondsOf(this.#clock) - backdateSeconds;
    const { writeCrl } = await writers();
    const der = await writeCrl(this.#issuer, {
      number,
      thisUpdate,
      nextUpdate: thisUpdate + BigInt(hours) * hourSeconds,
      revoked: listed.map((record) => ({ ...record, revokedAt: BigInt(record.revokedAt) })),
    });
    if (der.length > limits.crlBytes) {
      throw new CaError('crl-full', `${String(listed.length)} revocations do not fit one list`);
    }
    const crl = readOwn(() => parseCrl(der));
    if (!verifyCrl(opensslPrimitives, crl, this.#rootCertificate) || !sameList(crl, listed)) {
      throw new CaError('self-check', 'the list that was made does not verify');
    }
    return der;
  }

  async #record(der: Uint8Array, request: CertificateRequest, now: bigint): Promise<void> {
    const certificate = readOwn(() => parseCertificate(der));
    const { role, name } = request;
    const refusal = issuanceRefusal(opensslPrimitives, {
      certificate,
      root: this.#rootCertificate,
      nowSeconds: now,
      role,
      name,
    });
    if (refusal) throw new CaError('self-check', `the CA refuses its own: ${refusal.detail}`);
    const recorded = await this.#folder.addIssued({
      serialNumber: toHex(certificate.serialNumber),
      role,
      name,
      notBefore: certificate.notBefore.toString(),
      notAfter: certificate.notAfter.toString(),
      issuedAt: now.toString(),
      certificateHash: toHex(certificateHash(opensslPrimitives, der)),
      publicKeyHash: toHex(opensslPrimitives.sha256(certificate.publicKey)),
    });
    if (!recorded) throw new CaError('self-check', 'a serial number came twice: check the entropy');
  }
}

/** They take longer to load than a station does; most who open a CA only read. */
function writers() {
  return import('./x509-writer.ts');
}

/** One line for the operator, before anything is signed. */
function checkRequest({ role, name, alternativeNames = [] }: CertificateRequest): void {
  if (role === 'user' && !isUserName(name)) {
    throw new CaError('bad-request', `"${name}" is no user: write name@station, such as alice@q1`);
  }
  if (role === 'card-device' && !isCardSerial(name)) {
    throw new CaError(
      'bad-request',
      `"${name}" is no card: write its serial number, 32 digits 0-9 a-f`,
    );
  }
  if (role !== 'user' && role !== 'card-device' && !isStationName(name)) {
    throw new CaError(
      'bad-request',
      `"${name}" is no station: lower-case letters, digits, dots and hyphens, at most 32`,
    );
  }
  if (alternativeNames.length > 0 && role !== 'station-tls') {
    throw new CaError('bad-request', 'only station-tls certificates have alternative names');
  }
  const odd = alternativeNames.find((text) => isIP(text) === 0 && !/^[a-z0-9.-]{1,64}$/.test(text));
  if (odd !== undefined) {
    throw new CaError('bad-request', `"${odd}" is neither a DNS name nor an IP address`);
  }
  if (alternativeNames.length > alternativeNamesMost) {
    throw new CaError('bad-request', `at most ${String(alternativeNamesMost)} alternative names`);
  }
}

function wholeDays(days: number): number {
  if (Number.isInteger(days) && days >= 1 && days <= longestDays) return days;
  throw new CaError('bad-request', `a certificate is good for 1 to ${String(longestDays)} days`);
}

/** 16 random bytes, positive and without a leading zero: 126 random bits (RFC 5280 §4.1.2.2). */
function drawSerialNumber(entropy: Entropy): Uint8Array {
  const serialNumber = entropy.randomBytes(16);
  serialNumber[0] = ((serialNumber[0] ?? 0) & 0x3f) | 0x40;
  return serialNumber;
}

function secondsOf(clock: Clock): bigint {
  return BigInt(Math.floor(clock.nowMs() / 1000));
}

function sameList(crl: Crl, listed: readonly RevokedRecord[]): boolean {
  return (
    crl.revoked.size === listed.length &&
    listed.every(({ serialNumber }) => crl.revoked.has(serialNumber))
  );
}

/** What the folder holds, or what was just made, read as everybody else will. */
function readOwn<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    throw new CaError('self-check', `unreadable to the CA itself: ${error.message}`, error);
  }
}
