export type RecordErrorCode =
  /** Too short, too long, or of a version that nobody here writes. */
  | 'record-malformed'
  /** The tag does not verify: another key, or changed on the way. */
  | 'record-forged'
  /** Of another epoch than this opener's key. */
  | 'record-of-other-epoch'
  /** Strict order: not the next one. */
  | 'record-out-of-order'
  /** Seen before, or too old for the window to tell. */
  | 'record-replayed'
  /** The plaintext is beyond the limit. */
  | 'record-too-long'
  /** The key has sealed its last record; take a new epoch or connection. */
  | 'record-keys-exhausted';

/** `sequence` is the record's number where it is known. A peer is told none of this. */
export class RecordError extends Error {
  override readonly name = 'RecordError';
  readonly code: RecordErrorCode;
  readonly sequence: bigint | undefined;
  readonly retryable = false;

  constructor(code: RecordErrorCode, detail: string, sequence?: bigint) {
    super(detail);
    this.code = code;
    this.sequence = sequence;
  }
}
