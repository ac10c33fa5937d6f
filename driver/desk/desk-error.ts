import type { DeskRefusalCode } from '../../applet-spec/desk-messages.ts';

export type DeskErrorCode =
  /** No connection to the station could be made. */
  | 'station-unreachable'
  /** The connection ended; what was asked changed nothing, or was never sent. */
  | 'link-lost'
  /** The desk fell silent over something that changes nothing. */
  | 'no-answer'
  /**
   * The request may have been carried out: its record in the wallet is settled at the next
   * connection.
   */
  | 'outcome-unknown'
  /** The desk ended the connection and said why: `deskCode`. */
  | 'desk-ended'
  /** The desk said what the protocol has not, or too much of it. */
  | 'protocol'
  /** A sealed record that does not open: changed on the way, or not the station's. */
  | 'record-refused'
  /** A statement of the station that does not verify or is not about what was asked. */
  | 'evidence-invalid'
  /** Too many requests wait already. */
  | 'queue-full'
  /** `close()` was called here. */
  | 'closed';

export interface DeskErrorDetail {
  readonly deskCode?: DeskRefusalCode;
  readonly cause?: unknown;
}

const retryableCodes: ReadonlySet<DeskErrorCode> = new Set([
  'station-unreachable',
  'link-lost',
  'no-answer',
  'queue-full',
]);

/** A fault between host and desk. What the desk refuses as business is a result, not an error. */
export class DeskError extends Error {
  override readonly name = 'DeskError';
  readonly code: DeskErrorCode;
  readonly retryable: boolean;
  readonly deskCode: DeskRefusalCode | undefined;

  constructor(code: DeskErrorCode, message: string, detail: DeskErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.retryable = retryableCodes.has(code);
    this.deskCode = detail.deskCode;
  }
}
