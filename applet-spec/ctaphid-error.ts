export type CtaphidErrorCode = 'bad-report' | 'bad-length' | 'bad-sequence';

/** Reports that are no CTAPHID message. */
export class CtaphidError extends Error {
  override readonly name = 'CtaphidError';
  readonly code: CtaphidErrorCode;
  readonly retryable = false;

  constructor(code: CtaphidErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
