import type { CertificateRole } from '../../applet-spec/certificate.ts';

export interface CertificateRequest {
  readonly role: CertificateRole;
  /** `alice@q1` for a user, `q1` for a station, its serial number in hexadecimal for a card. */
  readonly name: string;
  /**
   * Uncompressed point of P-256, 65 bytes. Whoever asks has seen the key prove itself
   * (`possession`).
   */
  readonly publicKey: Uint8Array;
  /** station-tls only: further DNS names and IP addresses. */
  readonly alternativeNames?: readonly string[];
  /** 398 unless said otherwise; never beyond the root's own end. */
  readonly days?: number;
}

/**
 * What a station's enrolment desk asks of the CA: in the same process where the CA's folder is on
 * the station's machine (`CertificateAuthority`), from a remote desk otherwise.
 */
export interface CertificateIssuer {
  /**
   * DER of the certificate, which the CA has recorded. Throws CaError for what it does not certify.
   */
  issue(request: CertificateRequest): Promise<Uint8Array>;
}
