import type { ConnectionEnd, ConnectionEndReason } from './connection.ts';

/**
 * What can go wrong between the driver and a card. Unless the code is `outcome-unknown` the
 * command, if there was one, has not run.
 *
 * | code | means | retryable |
 * |---|---|---|
 * | not-installed | the package or library for this kind of reader is absent | no |
 * | service-absent | the smart-card service is not running | yes |
 * | access-denied | this user may not use the service or the device | no |
 * | no-reader | no such reader is plugged in | yes |
 * | no-card | the reader is empty | yes |
 * | reader-busy | another program, or another connection here, holds the card | yes |
 * | card-removed, card-reset, reader-lost, service-lost | the connection ended so; connect again | yes |
 * | closed | `close()` was called here | no |
 * | mute | the card gives no answer to reset | no |
 * | protocol | the reader or card broke the reader's protocol | no |
 * | command-in-flight | a raw transmit while another is unanswered | no |
 * | queue-full | too many commands wait for this card | yes |
 * | too-long | the command exceeds what the path to the card carries | no |
 * | bad-spec | a reader specification that names nothing | no |
 * | outcome-unknown | the command may have run and its answer is lost; `end` says how | no |
 */
export type ReaderErrorCode =
  | ConnectionEndReason
  | 'not-installed'
  | 'service-absent'
  | 'access-denied'
  | 'no-reader'
  | 'no-card'
  | 'reader-busy'
  | 'command-in-flight'
  | 'queue-full'
  | 'too-long'
  | 'bad-spec'
  | 'outcome-unknown';

const retryableCodes: ReadonlySet<ReaderErrorCode> = new Set([
  'service-absent',
  'no-reader',
  'no-card',
  'reader-busy',
  'card-removed',
  'card-reset',
  'reader-lost',
  'service-lost',
  'queue-full',
]);

export interface ReaderErrorDetail {
  readonly reader?: string;
  /** How the connection ended, where it did. */
  readonly end?: ConnectionEnd;
  /** The status word that came in place of the rest of an answer. */
  readonly sw?: number;
  readonly cause?: unknown;
}

export class ReaderError extends Error {
  override readonly name = 'ReaderError';
  readonly code: ReaderErrorCode;
  /** The same call may be made again, on a new connection where this one has ended. */
  readonly retryable: boolean;
  readonly reader: string | undefined;
  readonly end: ConnectionEnd | undefined;
  readonly sw: number | undefined;

  constructor(code: ReaderErrorCode, message: string, detail: ReaderErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.retryable = retryableCodes.has(code);
    this.reader = detail.reader;
    this.end = detail.end;
    this.sw = detail.sw;
  }
}

/** The connection is over and the command was never handed to the card. */
export function notRun(reader: string, end: ConnectionEnd, cause?: unknown): ReaderError {
  const message = `${reader}: ${end.detail}; the command has not run`;
  return new ReaderError(end.reason, message, { reader, end, cause });
}

/** The connection ended while the card had the command. */
export function outcomeUnknown(reader: string, end: ConnectionEnd, cause?: unknown): ReaderError {
  const message = `${reader}: ${end.detail} before the answer came; the command may have run`;
  return new ReaderError('outcome-unknown', message, { reader, end, cause });
}
