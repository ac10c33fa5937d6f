/**
 * All certificates of stations that this one ever saw, and the keys that they vouch for at a time.
 * A station renews its certificates and changes its keys; what it signed before stays its word
 * (I15, failure 34), unless the certificate was revoked: then nobody knows who signed, or when.
 */
import { toLatin1 } from '../../applet-spec/bytes.ts';
import {
  issuanceRefusal,
  parseCertificate,
  type Certificate,
} from '../../applet-spec/certificate.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Primitives, VerifyingKey } from '../../applet-spec/primitives.ts';
import { BatchKey } from './batch-key.ts';
import type { CertificateCheck, Trust } from './trust.ts';

/** Those of stations that sign what outlives a connection. */
export type SigningRole = 'station-coin' | 'station-document';

export interface StationCertificate {
  readonly station: StationName;
  readonly role: SigningRole;
  readonly hash: Uint8Array;
  readonly der: Uint8Array;
  readonly notBefore: bigint;
  readonly notAfter: bigint;
  /** A document key remembers the batches that it has verified. */
  readonly publicKey: VerifyingKey;
}

export type LearntCertificate =
  | { readonly outcome: 'new' | 'known'; readonly certificate: StationCertificate }
  | { readonly outcome: 'refused'; readonly detail: string };

/** How many they are is the CA's to say: only what it signed for a station gets in. */
export class StationCertificates {
  readonly #primitives: Primitives;
  readonly #trust: Trust;
  readonly #byHash = new Map<string, StationCertificate>();
  /** By role and station, the newest first. */
  readonly #byStation = new Map<string, StationCertificate[]>();

  constructor(options: { readonly primitives: Primitives; readonly trust: Trust }) {
    this.#primitives = options.primitives;
    this.#trust = options.trust;
  }

  /** Whatever its dates, and revoked or not: for what it is worth is asked at its use. */
  learn(der: Uint8Array, station: StationName): LearntCertificate {
    const hash = this.#primitives.sha256(der);
    const memory = toLatin1(hash);
    const before = this.#byHash.get(memory);
    if (before !== undefined) {
      return before.station === station
        ? { outcome: 'known', certificate: before }
        : { outcome: 'refused', detail: `the certificate is of ${before.station}` };
    }
    try {
      const parsed = parseCertificate(der);
      const detail = this.#objection(parsed, station);
      if (detail !== undefined) return { outcome: 'refused', detail };
      const certificate = this.#keep(parsed, station, hash);
      this.#byHash.set(memory, certificate);
      return { outcome: 'new', certificate };
    } catch (error) {
      const detail = error instanceof Error ? error.message : 'no certificate';
      return { outcome: 'refused', detail };
    }
  }

  /** Those in force at a time, in Unix seconds, and not revoked since; the newest first. */
  inForce(
    station: StationName,
    role: SigningRole,
    atSeconds: bigint,
  ): readonly StationCertificate[] {
    const then = this.#of(station, role, atSeconds);
    return then.filter(({ der }) => this.#check(der, role, station).ok);
  }

  /** Those that were in force then, and were revoked since. */
  revoked(
    station: StationName,
    role: SigningRole,
    atSeconds: bigint,
  ): readonly StationCertificate[] {
    return this.#of(station, role, atSeconds).filter(({ der }) => {
      const check = this.#check(der, role, station);
      return !check.ok && check.reason === 'revoked';
    });
  }

  #of(station: StationName, role: SigningRole, atSeconds: bigint): readonly StationCertificate[] {
    const all = this.#byStation.get(`${role} ${station}`) ?? [];
    return all.filter(({ notBefore, notAfter }) => notBefore <= atSeconds && atSeconds <= notAfter);
  }

  #check(der: Uint8Array, role: SigningRole, station: StationName): CertificateCheck {
    return this.#trust.check(der, role, station, 'any');
  }

  #objection(parsed: Certificate, station: StationName): string | undefined {
    const { role } = parsed;
    if (!isSigningRole(role)) return `a certificate for ${role ?? 'no role of ours'}`;
    const { root } = this.#trust;
    const refusal = issuanceRefusal(this.#primitives, {
      certificate: parsed,
      root,
      nowSeconds: root.notBefore,
      atSeconds: parsed.notBefore,
      role,
      name: station,
    });
    return refusal?.detail;
  }

  #keep(parsed: Certificate, station: StationName, hash: Uint8Array): StationCertificate {
    const { role, der, notBefore, notAfter } = parsed;
    if (!isSigningRole(role)) throw new RangeError('a role that signs nothing');
    const place = `${role} ${station}`;
    const all = this.#byStation.get(place) ?? [];
    const imported = this.#primitives.verifyingKey(parsed.publicKey);
    const publicKey = role === 'station-document' ? new BatchKey(imported) : imported;
    const certificate = { station, role, hash, der, notBefore, notAfter, publicKey };
    all.push(certificate);
    all.sort((a, b) => Number(b.notBefore - a.notBefore));
    this.#byStation.set(place, all);
    return certificate;
  }
}

export function isSigningRole(role: Certificate['role']): role is SigningRole {
  return role === 'station-coin' || role === 'station-document';
}
