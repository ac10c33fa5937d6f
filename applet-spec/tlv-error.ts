export type TlvErrorCode =
  | 'truncated'
  | 'trailing-bytes'
  | 'non-minimal-length'
  | 'unexpected-tag'
  | 'out-of-bounds'
  | 'bad-value';

/**
 * Bytes that no encoder of ours writes, or a value that none may write. `path` names the element,
 * as `quote.bill[3].fee`; it is empty where the fault is in the outermost element itself.
 */
export class TlvError extends Error {
  override readonly name = 'TlvError';
  readonly code: TlvErrorCode;
  readonly path: string;
  readonly detail: string;
  readonly retryable = false;

  constructor(code: TlvErrorCode, path: string, detail: string, cause?: unknown) {
    super(path === '' ? detail : `${path}: ${detail}`, { cause });
    this.code = code;
    this.path = path;
    this.detail = detail;
  }

  /** The same fault, seen from the enclosing element. */
  within(parent: string): TlvError {
    const joint = this.path === '' || this.path.startsWith('[') ? '' : '.';
    return new TlvError(this.code, `${parent}${joint}${this.path}`, this.detail, this.cause);
  }
}
