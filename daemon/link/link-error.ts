import { QkdError } from '../qkd/qkd-error.ts';

/**
 * What can go wrong on a link.
 *
 * | code | means | retryable |
 * |---|---|---|
 * | closed | the connection ended | yes |
 * | timeout | the other end did not answer in time | yes |
 * | not-authenticated | no neighbour's link-authentication key made this MAC | yes |
 * | handshake-malformed | a first message that nobody writes | yes |
 * | mismatch | the two ends differ in network, version, suite or names; the detail says in what | yes |
 * | refused | the peer refused, and said why | yes |
 * | yielded | both ends connected at once, and the other connection survives | yes |
 * | no-keys | no QKD key for the handshake now | yes |
 * | key-not-usable | a QKD key that one end named cannot be fetched at the other, or was used before | yes |
 * | certificate-refused | the peer's station certificate or signature does not hold | yes |
 * | frame-too-long, frame-malformed | beyond the bounds, or nothing that our encoder writes | yes |
 * | frame-forged | the tag of a frame does not verify | yes |
 * | frame-replayed, frame-out-of-order | a frame before, or beyond, the one that was due | yes |
 * | record-forged | a one-time MAC does not verify; its pad is retired | yes |
 * | record-malformed | a record that nobody writes | yes |
 * | other-suite | a record or frame of another suite than the link's | yes |
 * | peer-out-of-bounds | the peer sends more than is allowed, or asks for what nobody asks | yes |
 * | counter-exhausted | a key has sealed its last frame | yes |
 * | fault | a defect, or the key ledger failed | yes |
 * | aborted | the caller gave up, or the links were closed | no |
 * | unknown-peer | no such neighbour | no |
 * | too-long | a message that no record can hold | no |
 *
 * "Retryable": the link reconnects by itself, after a pause. The peer is told no more than its own
 * part in it; the detail is for the log and holds no secret.
 */
export type LinkErrorCode =
  | 'closed'
  | 'timeout'
  | 'not-authenticated'
  | 'handshake-malformed'
  | 'mismatch'
  | 'refused'
  | 'yielded'
  | 'no-keys'
  | 'key-not-usable'
  | 'certificate-refused'
  | 'frame-too-long'
  | 'frame-malformed'
  | 'frame-forged'
  | 'frame-replayed'
  | 'frame-out-of-order'
  | 'record-forged'
  | 'record-malformed'
  | 'other-suite'
  | 'peer-out-of-bounds'
  | 'counter-exhausted'
  | 'fault'
  | 'aborted'
  | 'unknown-peer'
  | 'too-long';

const finalCodes: ReadonlySet<LinkErrorCode> = new Set(['aborted', 'unknown-peer', 'too-long']);

export class LinkError extends Error {
  override readonly name = 'LinkError';
  readonly code: LinkErrorCode;
  readonly retryable: boolean;

  constructor(code: LinkErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.retryable = !finalCodes.has(code);
  }
}

/** A failure of anything below, as what it means to the link. */
export function asLinkError(cause: unknown): LinkError {
  if (cause instanceof LinkError) return cause;
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new LinkError(cause instanceof QkdError ? 'no-keys' : 'fault', detail, { cause });
}
