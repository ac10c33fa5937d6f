import {
  parseCertificate,
  validateCertificate,
  type Certificate,
  type CertificateRefusal,
  type CertificateRole,
  type CertificateVerdict,
} from '../../applet-spec/certificate.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import { newerCrl, parseCrl, verifyCrl, type Crl } from '../../applet-spec/crl.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Primitives, VerifyingKey } from '../../applet-spec/primitives.ts';
import { DeskError } from './desk-error.ts';
import type { StationKey } from './station-keys.ts';

/** Refusals that a wrong clock of the user's machine brings about, too. */
const ofTime: ReadonlySet<CertificateRefusal> = new Set([
  'not-yet-valid',
  'expired',
  'crl-not-yet-valid',
  'crl-stale',
]);

/** Where the newest CRL is kept, so that no restart lets an older one in: the wallet. */
export interface CrlKeeper {
  crl(): Uint8Array | undefined;
  saveCrl(der: Uint8Array): void;
}

/**
 * Which stations' certificates the host believes: the pinned root and the newest CRL seen (design
 * §5).
 */
export class HostTrust {
  readonly #primitives: Primitives;
  readonly #clock: Clock;
  readonly #root: Certificate;
  readonly #keeper: CrlKeeper;
  #crl: Crl | undefined;

  /** `root` is DER. Throws CertificateError where it is no certificate. */
  constructor(primitives: Primitives, clock: Clock, root: Uint8Array, keeper: CrlKeeper) {
    this.#primitives = primitives;
    this.#clock = clock;
    this.#root = parseCertificate(root);
    this.#keeper = keeper;
    const kept = keeper.crl();
    this.#crl = kept === undefined ? undefined : this.#readCrl(kept);
  }

  /** Takes a list unless it is older than the one in force. Throws DeskError `evidence-invalid`. */
  learnCrl(der: Uint8Array): void {
    const found = this.#readCrl(der);
    if (!newerCrl(this.#crl, found)) return;
    this.#crl = found;
    this.#keeper.saveCrl(der);
  }

  /** The key of a station's valid certificate. Throws DeskError `evidence-invalid`. */
  keyOf(der: Uint8Array, role: CertificateRole, station: StationName): VerifyingKey {
    return this.presentKey(der, role, station).verifyingKey;
  }

  /** The same, with its time. */
  presentKey(der: Uint8Array, role: CertificateRole, station: StationName): StationKey {
    const what = `the ${role} certificate of ${station}`;
    const { certificate, verdict } = this.#judged(what, der, role, station);
    if (verdict.ok) return this.#stationKey(what, certificate, false);
    const clock = ofTime.has(verdict.reason) ? `; ${this.#clockWords()}` : '';
    throw invalid(`${what}: ${verdict.detail}${clock}`);
  }

  /** What else may be wrong where dates do not fit. */
  #clockWords(): string {
    const now = new Date(this.#clock.nowMs()).toISOString();
    return `unless the clock of this machine is wrong, which says ${now}`;
  }

  /**
   * Of a certificate that the station used before; a revoked one only tells whose old coins and
   * records these are. Throws DeskError `evidence-invalid` for one that was never good.
   */
  formerKey(
    der: Uint8Array,
    station: StationName,
  ): StationKey & { readonly role: 'station-coin' | 'station-document' } {
    const what = `a former certificate of ${station}`;
    const { role } = parsed(what, () => parseCertificate(der));
    if (role !== 'station-coin' && role !== 'station-document') {
      throw invalid(`${what}: it is for ${role ?? 'no role of ours'}`);
    }
    const { certificate, verdict } = this.#judged(what, der, role, station, 'any time');
    const isRevoked = !verdict.ok && verdict.reason === 'revoked';
    if (!verdict.ok && !isRevoked) throw invalid(`${what}: ${verdict.detail}`);
    return { ...this.#stationKey(what, certificate, isRevoked), role };
  }

  #judged(
    what: string,
    der: Uint8Array,
    role: CertificateRole,
    station: StationName,
    dates: 'now' | 'any time' = 'now',
  ): { readonly certificate: Certificate; readonly verdict: CertificateVerdict } {
    const certificate = parsed(what, () => parseCertificate(der));
    const verdict = validateCertificate(this.#primitives, {
      certificate,
      root: this.#root,
      crl: this.#crl,
      nowSeconds: BigInt(Math.floor(this.#clock.nowMs() / 1_000)),
      ...(dates === 'any time' && { atSeconds: certificate.notBefore }),
      role,
      name: station,
    });
    return { certificate, verdict };
  }

  #stationKey(
    what: string,
    { publicKey, notBefore, notAfter }: Certificate,
    isRevoked: boolean,
  ): StationKey {
    const verifyingKey = parsed(what, () => this.#primitives.verifyingKey(publicKey));
    return { verifyingKey, notBefore, notAfter, isRevoked };
  }

  #readCrl(der: Uint8Array): Crl {
    const found = parsed('the CRL', () => parseCrl(der));
    if (!verifyCrl(this.#primitives, found, this.#root)) {
      throw invalid('the CRL is not signed by the pinned CA');
    }
    return found;
  }
}

function parsed<T>(what: string, parse: () => T): T {
  try {
    return parse();
  } catch (cause) {
    throw new DeskError('evidence-invalid', `${what} does not parse`, { cause });
  }
}

/** The error of every statement that does not hold. */
export function invalid(detail: string): DeskError {
  return new DeskError('evidence-invalid', detail);
}
