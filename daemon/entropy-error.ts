/**
 * | code | means | retryable |
 * |---|---|---|
 * | source-unavailable | the quantum random number generator cannot be opened or read | no |
 * | source-unhealthy | it failed a health test (SP 800-90B §4.4) and is used no more | no |
 * | source-exhausted | it is a file, and its end is reached | no |
 * | source-slow | it has not delivered enough yet | yes |
 */
export type EntropyErrorCode =
  'source-unavailable' | 'source-unhealthy' | 'source-exhausted' | 'source-slow';

export class EntropyError extends Error {
  override readonly name = 'EntropyError';
  readonly code: EntropyErrorCode;
  readonly retryable: boolean;
  /** The device or file. */
  readonly source: string;

  constructor(code: EntropyErrorCode, source: string, message: string, cause?: unknown) {
    super(
      `the quantum random number generator ${source} ${message}`,
      cause === undefined ? undefined : { cause },
    );
    this.code = code;
    this.retryable = code === 'source-slow';
    this.source = source;
  }
}
