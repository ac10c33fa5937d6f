/**
 * Which certificates this station believes: the CA's root and the newest CRL that it has seen
 * (requirement 3). A good verdict is remembered for a minute, and no longer than the certificate,
 * the root and the CRL serve, so that a payer who pays often costs one certificate check a minute
 * and not one a payment.
 */
import { toLatin1 } from '../../applet-spec/bytes.ts';
import {
  certificateHash,
  parseCertificate,
  validateCertificate,
  type Certificate,
  type CertificateRefusal,
  type CertificateRole,
} from '../../applet-spec/certificate.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import {
  crlFreshness,
  crlServesUntil,
  newerCrl,
  parseCrl,
  verifyCrl,
  type Crl,
} from '../../applet-spec/crl.ts';
import type { Primitives, VerifyingKey } from '../../applet-spec/primitives.ts';

export interface TrustedCertificate {
  readonly ok: true;
  readonly hash: Uint8Array;
  readonly certificate: Certificate;
  readonly publicKey: VerifyingKey;
}

export interface DistrustedCertificate {
  readonly ok: false;
  readonly reason: CertificateRefusal | 'malformed';
  readonly detail: string;
}

export type CertificateCheck = TrustedCertificate | DistrustedCertificate;

/** `any`: whenever it served, of what was signed in that time; the caller compares its dates. */
type DatesAsked = 'now' | 'any';

interface Verdict {
  readonly untilMs: number;
  readonly check: TrustedCertificate;
}

interface SeenCertificate {
  readonly hash: Uint8Array;
  /** The last good verdict, and the question and the CRL that it answers to. */
  last:
    | (Verdict & {
        readonly role: CertificateRole;
        readonly name: string | undefined;
        readonly dates: DatesAsked;
        readonly crl: Crl | undefined;
      })
    | undefined;
}

const rememberMs = 60_000;
const rememberMost = 100_000;

export class Trust {
  readonly root: Certificate;
  readonly #primitives: Primitives;
  readonly #clock: Clock;
  readonly #graceSeconds: bigint;
  readonly #remembered = new Map<string, Verdict>();
  readonly #seen = new WeakMap<Uint8Array, SeenCertificate>();
  readonly #onNewerCrl: (() => void)[] = [];
  #crl: Crl | undefined;

  constructor(options: {
    readonly primitives: Primitives;
    readonly clock: Clock;
    /** DER. Throws CertificateError for anything but a certificate. */
    readonly root: Uint8Array;
    /** How long after its nextUpdate a CRL still serves. */
    readonly graceSeconds: bigint;
  }) {
    this.#primitives = options.primitives;
    this.#clock = options.clock;
    this.#graceSeconds = options.graceSeconds;
    this.root = parseCertificate(options.root);
  }

  get crl(): Crl | undefined {
    return this.#crl;
  }

  /** Told of each CRL that comes in force: what was believed before may be revoked. */
  onNewerCrl(listener: () => void): void {
    this.#onNewerCrl.push(listener);
  }

  /**
   * `newer` CRLs replace the one in force. One that goes back does not, nor one that the root did
   * not sign, nor one of the future: that would stop every payment here until its time has come.
   */
  learnCrl(der: Uint8Array): 'newer' | 'known' | 'refused' {
    let found: Crl;
    try {
      found = parseCrl(der);
    } catch {
      return 'refused';
    }
    if (!verifyCrl(this.#primitives, found, this.root)) return 'refused';
    if (crlFreshness(found, this.#nowSeconds(), this.#graceSeconds) === 'future') return 'refused';
    if (!newerCrl(this.#crl, found)) return 'known';
    this.#crl = found;
    this.#remembered.clear();
    for (const listener of this.#onNewerCrl) listener();
    return 'newer';
  }

  /** Dates, signature, role, name and revocation (design §3); fails closed without a fresh CRL. */
  check(
    der: Uint8Array,
    role: CertificateRole,
    name?: string,
    dates: DatesAsked = 'now',
  ): CertificateCheck {
    const nowMs = this.#clock.nowMs();
    const seen = this.#seenAs(der);
    const last = seen.last;
    const isAsked =
      last?.role === role && last.name === name && last.dates === dates && last.crl === this.#crl;
    if (isAsked && nowMs < last.untilMs) return last.check;
    const { hash } = seen;
    const memory = `${role} ${name ?? ''} ${dates} ${toLatin1(hash)}`;
    const remembered = this.#remembered.get(memory);
    if (remembered !== undefined && nowMs < remembered.untilMs) {
      seen.last = { role, name, dates, crl: this.#crl, ...remembered };
      return remembered.check;
    }
    let certificate: Certificate;
    try {
      certificate = parseCertificate(der);
    } catch (error) {
      return { ok: false, reason: 'malformed', detail: String(error) };
    }
    const verdict = validateCertificate(this.#primitives, {
      certificate,
      root: this.root,
      crl: this.#crl,
      nowSeconds: this.#nowSeconds(),
      graceSeconds: this.#graceSeconds,
      ...(dates === 'any' && { atSeconds: certificate.notBefore }),
      role,
      ...(name === undefined ? {} : { name }),
    });
    if (!verdict.ok) return verdict;
    const publicKey = this.#primitives.verifyingKey(certificate.publicKey);
    const check: TrustedCertificate = { ok: true, hash, certificate, publicKey };
    if (this.#remembered.size >= rememberMost) this.#remembered.clear();
    const ends = dates === 'any' ? [] : [certificate.notAfter];
    this.#remembered.set(memory, { untilMs: this.#holdsUntilMs(ends, nowMs), check });
    return check;
  }

  /**
   * A station's certificates are asked about several times a payment, and are the same array each
   * time.
   */
  #seenAs(der: Uint8Array): SeenCertificate {
    const known = this.#seen.get(der);
    if (known !== undefined) return known;
    const seen: SeenCertificate = { hash: certificateHash(this.#primitives, der), last: undefined };
    this.#seen.set(der, seen);
    return seen;
  }

  /** Dates are whole seconds, both ends included: a verdict holds to the end of the last one. */
  #holdsUntilMs(certificateEnds: readonly bigint[], nowMs: number): number {
    const ends = [...certificateEnds, this.root.notAfter];
    if (this.#crl !== undefined) ends.push(crlServesUntil(this.#crl, this.#graceSeconds));
    return Math.min(nowMs + rememberMs, ...ends.map((end) => (Number(end) + 1) * 1000));
  }

  #nowSeconds(): bigint {
    return BigInt(Math.floor(this.#clock.nowMs() / 1000));
  }
}
