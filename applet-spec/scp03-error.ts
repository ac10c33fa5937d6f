export type Scp03ErrorCode =
  /** The session has had its last command; open a new one. */
  | 'session-exhausted'
  /** Wrapped, it would not fit a three-byte Lc or an answer. */
  | 'data-too-long'
  /** The answer to INITIALIZE UPDATE is not of the announced form. */
  | 'answer-malformed';

/** Nothing was sent yet. A failed MAC or cryptogram is a verdict, never an error. */
export class Scp03Error extends Error {
  override readonly name = 'Scp03Error';
  readonly code: Scp03ErrorCode;
  readonly retryable: boolean;

  constructor(code: Scp03ErrorCode, detail: string) {
    super(detail);
    this.code = code;
    this.retryable = code === 'session-exhausted';
  }
}
