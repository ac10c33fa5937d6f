/**
 * P-256 keys in files: PKCS#8 (RFC 5208) for private ones, SubjectPublicKeyInfo for public ones.
 */
import { createPrivateKey } from 'node:crypto';
import { bytesToUint, fromHex, wipe } from '../../applet-spec/bytes.ts';
import { publicKeyOf } from '../../applet-spec/certificate.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { opensslPrimitives } from '../openssl-primitives.ts';
import { CaError } from './ca-error.ts';
import { decodePem, derOfFile } from './pem.ts';

export interface P256KeyPair {
  /** Scalar, 32 bytes. */
  readonly privateKey: Uint8Array;
  /** Uncompressed point, 65 bytes. */
  readonly publicKey: Uint8Array;
}

const p256Order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

/** FIPS 186-5 A.2.2: draws until the number is a scalar, which is at once but for 2^-32. */
export function drawP256Key(entropy: Entropy): P256KeyPair {
  for (;;) {
    const privateKey = entropy.randomBytes(32);
    const scalar = bytesToUint(privateKey);
    if (scalar === 0n || scalar >= p256Order) continue;
    return { privateKey, publicKey: opensslPrimitives.signingKey(privateKey).publicKey };
  }
}

/** PKCS#8 in PEM, with the public key inside as OpenSSL writes it. */
export function privateKeyPem({ privateKey }: P256KeyPair): string {
  const der = pkcs8Of(privateKey);
  const key = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
  wipe(der);
  return key.export({ format: 'pem', type: 'pkcs8' }).toString();
}

/**
 * Throws CaError for anything but an unencrypted P-256 key in PEM. The text stays out of the error.
 */
export function readPrivateKeyPem(pem: string): P256KeyPair {
  try {
    const jwk = createPrivateKey(pem).export({ format: 'jwk' });
    if (jwk.crv !== 'P-256' || jwk.d === undefined) throw new RangeError('another curve');
    const privateKey = Uint8Array.from(Buffer.from(jwk.d, 'base64url'));
    return { privateKey, publicKey: opensslPrimitives.signingKey(privateKey).publicKey };
  } catch {
    throw new CaError('folder-unusable', 'not an unencrypted P-256 private key in PEM');
  }
}

/** From PEM, DER, the bare 65-byte point, or its 130 hexadecimal digits. Throws CaError. */
export function readPublicKeyFile(bytes: Uint8Array): Uint8Array {
  const publicKey = pointOf(bytes);
  try {
    return opensslPrimitives.verifyingKey(publicKey).publicKey;
  } catch (cause) {
    throw new CaError('bad-request', 'the public key is no point of P-256', cause);
  }
}

/** PrivateKeyInfo of a scalar; the caller wipes it. */
export function pkcs8Of(privateKey: Uint8Array): Uint8Array {
  const der = new Uint8Array(pkcs8Prefix.length + privateKey.length);
  der.set(pkcs8Prefix);
  der.set(privateKey, pkcs8Prefix.length);
  return der;
}

const pkcs8Prefix = fromHex(
  '3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420',
);

function pointOf(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 65 && bytes[0] === 0x04) return bytes;
  const text = Buffer.from(bytes).toString('latin1').trim();
  if (/^04[0-9a-fA-F]{128}$/.test(text)) return fromHex(text);
  const spki = derOfFile('PUBLIC KEY', bytes);
  if (spki !== undefined) {
    try {
      return publicKeyOf(spki);
    } catch (cause) {
      throw new CaError('bad-request', 'the public key is no uncompressed P-256 point', cause);
    }
  }
  if (decodePem('PRIVATE KEY', text) !== undefined) {
    throw new CaError('bad-request', 'that is a private key: give its public key only');
  }
  throw new CaError(
    'bad-request',
    'the public key is neither PEM, DER, 65 bytes nor 130 hexadecimal digits',
  );
}
