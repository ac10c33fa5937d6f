export type TlvErrorCode =
  | 'truncated'
  | 'trailing-bytes'
  | 'non-minimal-length'
  | 'unexpected-tag'
  | 'out-of-bounds'
  | 'bad-value';

/** Bytes that no encoder of ours writes, or a value that none may write. `path` names the element. */
export class TlvError extends Error {
  override readonly name = 'TlvError';
  readonly code: TlvErrorCode;
  readonly path: string;
  readonly retryable = false;

  constructor(code: TlvErrorCode, path: string, detail: string, cause?: unknown) {
    super(`${path}: ${detail}`, { cause });
    this.code = code;
    this.path = path;
  }

  /** The same fault, seen from the enclosing element. */
  within(parent: string): TlvError {
    const path = this.path.startsWith('[') ? `${parent}${this.path}` : `${parent}.${this.path}`;
    return new TlvError(this.code, path, this.message.slice(this.path.length + 2), this.cause);
  }
}
