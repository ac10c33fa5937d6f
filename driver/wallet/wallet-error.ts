export type WalletErrorCode =
  /** The file was written by a newer program. */
  | 'wallet-newer'
  /** Another program has held the file for too long. */
  | 'wallet-busy'
  /** The folder or file cannot be made, read or written. */
  | 'wallet-unreachable'
  /** Not a wallet, or a row that does not read back as it was written. */
  | 'wallet-damaged'
  /** No station has been set: `card init` comes first. */
  | 'wallet-not-set-up';

export class WalletError extends Error {
  override readonly name = 'WalletError';
  readonly code: WalletErrorCode;
  readonly retryable: boolean;

  constructor(code: WalletErrorCode, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.retryable = code === 'wallet-busy';
  }
}
