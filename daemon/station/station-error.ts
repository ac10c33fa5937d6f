export type StationErrorCode =
  | 'bad-configuration'
  | 'bad-key-file'
  | 'certificate-not-valid'
  | 'not-running'
  | 'already-running'
  | 'address-in-use'
  | 'exists'
  | 'not-written'
  | 'command-failed';

/** What keeps a station from starting or a command from being carried out, in one sentence. */
export class StationError extends Error {
  override readonly name = 'StationError';
  readonly code: StationErrorCode;
  readonly retryable = false;

  constructor(code: StationErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
