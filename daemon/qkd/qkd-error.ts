/**
 * What can go wrong between a station and its QKD device.
 *
 * | code | means | retryable |
 * |---|---|---|
 * | unavailable | the device cannot be reached, or says that it has trouble | yes |
 * | exhausted | the device works and has no keys for this peer now | yes |
 * | not-found | the device does not have one of the key IDs, after the bounded retries | no |
 * | authentication | one end refused the other's certificate or name | no |
 * | refused | the device understood the request and does not serve it | no |
 * | protocol | the answer is not what was asked for, or not ETSI GS QKD 014 | no |
 * | outcome-unknown | the answer was lost after the request may have run; keys may be burnt | no |
 * | already-used | a key ID was recorded before; its key is refused for ever | no |
 * | aborted | the caller gave up, or the source was closed | no |
 */
export type QkdErrorCode =
  | 'unavailable'
  | 'exhausted'
  | 'not-found'
  | 'authentication'
  | 'refused'
  | 'protocol'
  | 'outcome-unknown'
  | 'already-used'
  | 'aborted';

const retryableCodes: ReadonlySet<QkdErrorCode> = new Set(['unavailable', 'exhausted']);

export interface QkdErrorDetail {
  readonly cause?: unknown;
  /** The HTTP status of the device's answer, where there was one. */
  readonly httpStatus?: number;
  /** What the device said, cut to 512 bytes: never the body of a 200. */
  readonly deviceMessage?: string;
  /** Bits of key that this failure has burnt, or may have. */
  readonly lostBits?: number;
  /** The key IDs concerned, for not-found and already-used. */
  readonly keyIds?: readonly string[];
}

export class QkdError extends Error {
  override readonly name = 'QkdError';
  readonly code: QkdErrorCode;
  readonly retryable: boolean;
  readonly httpStatus: number | undefined;
  readonly deviceMessage: string | undefined;
  readonly lostBits: number;
  readonly keyIds: readonly string[];

  constructor(code: QkdErrorCode, message: string, detail: QkdErrorDetail = {}) {
    super(message, detail.cause === undefined ? undefined : { cause: detail.cause });
    this.code = code;
    this.retryable = retryableCodes.has(code);
    this.httpStatus = detail.httpStatus;
    this.deviceMessage = detail.deviceMessage;
    this.lostBits = detail.lostBits ?? 0;
    this.keyIds = detail.keyIds ?? [];
  }
}

/** The device answered, and said nothing of use: it may well do other calls. */
export function isEmptyAnswer({ code, httpStatus }: QkdError): boolean {
  if (code === 'unavailable') return httpStatus !== undefined;
  return code === 'refused' || code === 'protocol';
}
