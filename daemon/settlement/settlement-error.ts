export type SettlementErrorCode =
  | 'no-route'
  | 'no-answer'
  | 'unknown-station'
  /** An answer that the peer did not sign, or that answers something else. */
  | 'bad-answer'
  | 'declined'
  /** This station has lost records: totals of now would stand for ever. */
  | 'books-lost'
  | 'totals-differ';

/** Why settling with one peer came to a halt. Nothing was lost: the next run goes on from here. */
export class SettlementError extends Error {
  override readonly name = 'SettlementError';
  readonly code: SettlementErrorCode;
  readonly retryable: boolean;

  constructor(code: SettlementErrorCode, message: string) {
    super(message);
    this.code = code;
    this.retryable = code === 'no-answer' || code === 'no-route';
  }
}
