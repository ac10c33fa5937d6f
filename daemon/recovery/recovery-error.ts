/**
 * Why a recovery does not begin.
 *
 * | code | means |
 * |---|---|
 * | nothing-lost | as far as neighbours have spoken, the books are whole |
 * | no-neighbour | a station that is to be left out is no neighbour, and nothing waits for it |
 * | time-to-come | what neighbours have since a time to come is nothing, and all would be given up |
 * | under-way | neighbours are being asked for what they have since another time |
 */
export type RecoveryErrorCode = 'nothing-lost' | 'no-neighbour' | 'time-to-come' | 'under-way';

export class RecoveryError extends Error {
  override readonly name = 'RecoveryError';
  readonly code: RecoveryErrorCode;
  readonly retryable = false;

  constructor(code: RecoveryErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
