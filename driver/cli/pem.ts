import { UsageError } from './usage-error.ts';

/**
 * The first certificate of a PEM file (RFC 7468), or the file itself where it is DER already.
 * `what` names the file in the UsageError that says that there is none.
 */
export function pemToDer(file: Uint8Array, what: string): Uint8Array {
  if (file[0] === 0x30) return file;
  const text = new TextDecoder().decode(file);
  const body = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/.exec(text);
  if (body?.[1] === undefined) throw new UsageError(`${what} holds no certificate, PEM or DER`);
  return new Uint8Array(Buffer.from(body[1], 'base64'));
}
