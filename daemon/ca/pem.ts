/** Textual encoding of DER (RFC 7468). */

export type PemLabel = 'CERTIFICATE' | 'X509 CRL' | 'PUBLIC KEY' | 'PRIVATE KEY';

export function encodePem(label: PemLabel, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

/** The DER of the one block of this label; undefined where there is none, or more than one. */
export function decodePem(label: PemLabel, text: string): Uint8Array | undefined {
  const pattern = new RegExp(`-----BEGIN ${label}-----([^-]*)-----END ${label}-----`, 'g');
  const [block, second] = [...text.matchAll(pattern)];
  const base64 = block?.[1]?.replace(/\s/g, '');
  if (base64 === undefined || second !== undefined) return undefined;
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(base64)) return undefined;
  return Uint8Array.from(Buffer.from(base64, 'base64'));
}

/** The DER in a file of either form. */
export function derOfFile(label: PemLabel, bytes: Uint8Array): Uint8Array | undefined {
  return bytes[0] === 0x30 ? bytes : decodePem(label, Buffer.from(bytes).toString('latin1'));
}
