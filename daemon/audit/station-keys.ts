/**
 * Whose signatures an audit believes: the keys in station certificates that the CA's root signed,
 * as their announcements left them here. Certificates are judged at the time of what they stand in,
 * not at that of the audit: an expired certificate does not undo what it signed.
 */
import { toLatin1 } from '../../applet-spec/bytes.ts';
import {
  issuanceRefusal,
  parseCertificate,
  type Certificate,
  type CertificateRole,
} from '../../applet-spec/certificate.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Primitives, VerifyingKey } from '../../applet-spec/primitives.ts';
import type { AuditedAnnouncement } from '../store/audit-store.ts';
import { announcement, type Announcement } from '../wire/announcement.ts';
import type { Finding } from './finding.ts';
import type { SeenCertificate } from './revocations.ts';

type StationRole = Extract<CertificateRole, 'station-coin' | 'station-document'>;

interface DatedKey {
  readonly verifyingKey: VerifyingKey;
  readonly notBefore: bigint;
  readonly notAfter: bigint;
}

export class StationKeys {
  readonly #primitives: Primitives;
  readonly #root: Certificate;
  readonly #network: string;
  readonly #keys = new Map<string, DatedKey[]>();
  readonly #certificates = new Set<string>();
  readonly #certificateOf = new WeakMap<VerifyingKey, SeenCertificate>();

  constructor(options: {
    readonly primitives: Primitives;
    readonly root: Certificate;
    readonly network: string;
  }) {
    this.#primitives = options.primitives;
    this.#root = options.root;
    this.#network = options.network;
  }

  /** From the station's own files, or from its archive of others' certificates. */
  addCertificate(der: Uint8Array, station: StationName): Finding | undefined {
    const role = roleOf(der);
    const detail =
      role === undefined ? 'it is for neither coins nor documents' : this.#add(der, role, station);
    if (detail === undefined) return undefined;
    const what = `${role ?? 'stored'} certificate of ${station}`;
    return { code: 'station-certificate', detail: `${what}: ${detail}`, party: station };
  }

  /** An announcement's certificates, and then its signature under one of them. */
  addAnnouncement({ bytes, ...filed }: AuditedAnnouncement): readonly Finding[] {
    let found: Announcement;
    try {
      found = announcement.decode(bytes);
    } catch {
      const detail = `the stored announcement of ${filed.station} does not decode`;
      return [{ code: 'station-certificate', detail, party: filed.station }];
    }
    const { station, sequence } = found.body;
    const isInPlace = station === filed.station && sequence === filed.sequence;
    const detail =
      this.announcementFault(found) ??
      (isInPlace ? undefined : `it is kept as number ${filed.sequence} of ${filed.station}`);
    if (detail === undefined) return [];
    const words = `announcement of ${station}: ${detail}`;
    return [{ code: 'station-certificate', detail: words, party: filed.station }];
  }

  /** Why an announcement is not its station's; learns its keys where it is. */
  announcementFault(found: Announcement): string | undefined {
    const { station, network, coinCertificate, documentCertificate, time } = found.body;
    if (network !== this.#network) return `it is of network ${network}`;
    const fault =
      this.#add(documentCertificate, 'station-document', station, time) ??
      this.#add(coinCertificate, 'station-coin', station, time);
    if (fault !== undefined) return fault;
    return this.documentKeys(station, time).some((one) => announcement.verify(found, one))
      ? undefined
      : 'its signature does not verify';
  }

  /** Those whose certificates were in force at a time, in Unix seconds (I15). */
  coinKeys(station: StationName, seconds: bigint): readonly VerifyingKey[] {
    return this.#keysAt('station-coin', station, seconds);
  }

  documentKeys(station: StationName, seconds: bigint): readonly VerifyingKey[] {
    return this.#keysAt('station-document', station, seconds);
  }

  /** Which certificate vouches for a key that was given out here. */
  certificateOf(key: VerifyingKey): SeenCertificate | undefined {
    return this.#certificateOf.get(key);
  }

  /** Of all times, for words without one. */
  allDocumentKeys(station: StationName): readonly VerifyingKey[] {
    return (this.#keys.get(`station-document ${station}`) ?? []).map(
      ({ verifyingKey }) => verifyingKey,
    );
  }

  #keysAt(role: StationRole, station: StationName, seconds: bigint): readonly VerifyingKey[] {
    return (this.#keys.get(`${role} ${station}`) ?? [])
      .filter(({ notBefore, notAfter }) => notBefore <= seconds && seconds <= notAfter)
      .map(({ verifyingKey }) => verifyingKey);
  }

  #add(
    der: Uint8Array,
    role: StationRole,
    station: StationName,
    time?: bigint,
  ): string | undefined {
    const memory = `${role} ${station} ${toLatin1(this.#primitives.sha256(der))}`;
    if (this.#certificates.has(memory)) return undefined;
    try {
      const certificate = parseCertificate(der);
      const refusal = issuanceRefusal(this.#primitives, {
        certificate,
        root: this.#root,
        nowSeconds: time ?? certificate.notBefore,
        role,
        name: station,
      });
      if (refusal !== undefined) return refusal.detail;
      const kept = this.#keys.get(`${role} ${station}`) ?? [];
      const { notBefore, notAfter, publicKey, serialNumber } = certificate;
      const verifyingKey = this.#primitives.verifyingKey(publicKey);
      this.#certificateOf.set(verifyingKey, { who: `${station} (${role})`, serialNumber });
      kept.push({ verifyingKey, notBefore, notAfter });
      this.#keys.set(`${role} ${station}`, kept);
      this.#certificates.add(memory);
      return undefined;
    } catch (error) {
      return error instanceof Error ? error.message : 'no certificate';
    }
  }
}

function roleOf(der: Uint8Array): StationRole | undefined {
  try {
    const { role } = parseCertificate(der);
    return role === 'station-coin' || role === 'station-document' ? role : undefined;
  } catch {
    return undefined;
  }
}
