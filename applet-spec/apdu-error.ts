export type ApduErrorCode =
  /** Bytes that are no APDU of ISO/IEC 7816-4 §5.1. */
  | 'apdu-malformed'
  /** A field that the form asked for cannot hold. */
  | 'apdu-too-long';

/** `length` is the number of bytes that were refused. */
export class ApduError extends Error {
  override readonly name = 'ApduError';
  readonly code: ApduErrorCode;
  readonly length: number;
  readonly retryable = false;

  constructor(code: ApduErrorCode, length: number, detail: string) {
    super(`${detail} (${length} bytes)`);
    this.code = code;
    this.length = length;
  }
}
