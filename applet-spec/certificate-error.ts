export type CertificateErrorCode =
  /** Not DER, or not the structure of RFC 5280. */
  | 'malformed'
  /** Larger than any certificate or CRL of ours. */
  | 'too-large'
  /** Well-formed, of a version, curve, signature or CRL kind that this version does not read. */
  | 'unsupported';

/**
 * Bytes that are no certificate and no CRL of ours. What is well-formed and not valid is a verdict.
 */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
  readonly code: CertificateErrorCode;
  readonly retryable = false;

  constructor(code: CertificateErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
