import { QkdError } from './qkd-error.ts';

/** How far a request had come when its connection failed. */
export interface RequestProgress {
  /** The request may have reached the device. */
  readonly sent: boolean;
  /** The device has answered with the first half of its TLS handshake at least. */
  readonly heard: boolean;
  /** Its TLS connection was made for it. */
  readonly freshConnection: boolean;
  /** The device has answered some request made with this certificate. */
  readonly certificateServed: boolean;
  /** Bits that it may have burnt, if it ran. */
  readonly bits: number;
  /** Get key and Get key with key IDs: what ran cannot be repeated. */
  readonly consumes: boolean;
}

/** What `node:tls` reports when it does not accept the device's certificate. */
const certificateRefused =
  /^(CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|ERR_TLS_CERT|HOSTNAME_MISMATCH|INVALID_CA|PATH_LENGTH)/;

/** TLS alerts by which the device refuses ours (RFC 8446 §6.2), in OpenSSL's words. */
const alertRefusing = new RegExp(
  'alert (' +
    'bad certificate|unsupported certificate|certificate (revoked|expired|unknown|required)|' +
    'unknown ca|access denied|handshake failure|decrypt error)',
  'i',
);

const connectionEnded: ReadonlySet<string> = new Set(['ECONNRESET', 'EPIPE', 'ECONNABORTED']);

/** Turns a failed connection into what it means for the keys. */
export function transportFailure(error: Error, progress: RequestProgress): QkdError {
  if (error instanceof QkdError) return error;
  const code = String(Reflect.get(error, 'code') ?? '');
  if (certificateRefused.test(code)) {
    return new QkdError(
      'authentication',
      `the key manager's certificate is not trusted (${code}): check the CA file`,
      { cause: error },
    );
  }
  if (alertRefusing.test(error.message)) return certificateRefusal(error, progress);
  // With TLS 1.3 the client believes itself connected before the device has seen its certificate,
  // so the refusal arrives as the end of a connection on which nothing was answered; with TLS 1.2
  // it may come instead of the device's last handshake message.
  const endedUnanswered = connectionEnded.has(code) && progress.freshConnection && progress.heard;
  if (endedUnanswered && !progress.certificateServed) return certificateRefusal(error, progress);
  if (progress.sent && progress.consumes) {
    return new QkdError('outcome-unknown', `the key manager's answer was lost (${code})`, {
      cause: error,
      lostBits: progress.bits,
    });
  }
  return new QkdError('unavailable', `cannot reach the key manager (${code || error.message})`, {
    cause: error,
  });
}

function certificateRefusal(cause: Error, progress: RequestProgress): QkdError {
  return new QkdError(
    'authentication',
    'the key manager closed the connection instead of accepting our certificate: ' +
      'check that it is issued by the CA it trusts, and still valid',
    { cause, lostBits: progress.sent && progress.consumes ? progress.bits : 0 },
  );
}
