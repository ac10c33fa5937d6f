/**
 * Whose signatures a wallet's audit believes: station certificates kept in the wallet, each under
 * the pinned root. They are judged at the time they began: an expired certificate does not undo
 * what it signed.
 */
import { toLatin1 } from '../../applet-spec/bytes.ts';
import {
  issuanceRefusal,
  parseCertificate,
  type Certificate,
} from '../../applet-spec/certificate.ts';
import { CertificateError } from '../../applet-spec/certificate-error.ts';
import type { Primitives, VerifyingKey } from '../../applet-spec/primitives.ts';
import type { StationRole } from '../wallet/wallet-certificates.ts';

export class KnownStations {
  readonly #primitives: Primitives;
  readonly #root: Certificate;
  readonly #keys = new Map<string, VerifyingKey[]>();
  readonly #seen = new Map<string, string | undefined>();

  constructor(primitives: Primitives, root: Certificate) {
    this.#primitives = primitives;
    this.#root = root;
  }

  /** Why a certificate is not to be believed; undefined where it is, from then on. */
  learn(der: Uint8Array, role: StationRole, station: string): string | undefined {
    const memory = `${role} ${station} ${toLatin1(der)}`;
    if (!this.#seen.has(memory)) this.#seen.set(memory, this.#judge(der, role, station));
    return this.#seen.get(memory);
  }

  /** None for a station that never showed its certificate to this wallet. */
  keysOf(role: StationRole, station: string): readonly VerifyingKey[] {
    return this.#keys.get(`${role} ${station}`) ?? [];
  }

  #judge(der: Uint8Array, role: StationRole, station: string): string | undefined {
    try {
      const certificate = parseCertificate(der);
      const { notBefore } = certificate;
      const root = this.#root;
      const nowSeconds = notBefore > root.notBefore ? notBefore : root.notBefore;
      const question = { certificate, root, nowSeconds, role, name: station };
      const refusal = issuanceRefusal(this.#primitives, question);
      if (refusal !== undefined) return refusal.detail;
      const keys = this.#keys.get(`${role} ${station}`) ?? [];
      keys.push(this.#primitives.verifyingKey(certificate.publicKey));
      this.#keys.set(`${role} ${station}`, keys);
      return undefined;
    } catch (error) {
      if (error instanceof CertificateError || error instanceof RangeError) return error.message;
      throw error;
    }
  }
}
