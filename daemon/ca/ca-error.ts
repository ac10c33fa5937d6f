export type CaErrorCode =
  /** `init` where something is already. */
  | 'folder-in-use'
  /** No CA in the folder, or one that cannot be read. */
  | 'folder-unusable'
  /** A name, public key, role or period that no certificate can be issued for. */
  | 'bad-request'
  /** The certificates revoked and not yet expired no longer fit one CRL. */
  | 'crl-full'
  /** A certificate or CRL that the CA itself would not accept: a defect, nothing was given out. */
  | 'self-check';

/**
 * Faults of the CA's desk. Each message is one line that says what to do; it never holds key bytes.
 */
export class CaError extends Error {
  override readonly name = 'CaError';
  readonly code: CaErrorCode;
  readonly retryable = false;

  constructor(code: CaErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
  }
}
