/** A station's keys on disk: PKCS #8 PEM for signing, 32 bytes in hexadecimal for the rest. */
import { closeSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { subjectPublicKeyInfo } from '../../applet-spec/certificate.ts';
import type { Entropy, Primitives, SigningKey } from '../../applet-spec/primitives.ts';
import { drawP256Key, privateKeyPem, readPrivateKeyPem } from '../ca/p256-key-file.ts';
import { derOfFile, encodePem } from '../ca/pem.ts';
import { StationError } from './station-error.ts';

/** Throws StationError `bad-key-file`, naming the file; never its content. */
export function readSigningKey(primitives: Primitives, file: string): SigningKey {
  const text = readSecretFile(file).toString('ascii');
  try {
    return primitives.signingKey(readPrivateKeyPem(text).privateKey);
  } catch (error) {
    throw new StationError('bad-key-file', `${file}: expected a P-256 private key in PEM`, {
      cause: error,
    });
  }
}

/** 32 bytes in hexadecimal. Throws StationError `bad-key-file`. */
export function readSymmetricKey(file: string): Uint8Array {
  const text = readSecretFile(file).toString('ascii').trim();
  if (!/^[0-9a-fA-F]{64}$/.test(text)) {
    throw new StationError('bad-key-file', `${file}: expected 64 hexadecimal digits`);
  }
  return fromHex(text);
}

/** PEM or DER. Throws StationError `certificate-not-valid`, naming the file. */
export function readCertificateFile(label: 'CERTIFICATE' | 'X509 CRL', file: string): Uint8Array {
  let der: Uint8Array | undefined;
  try {
    der = derOfFile(label, readFileSync(file));
  } catch (error) {
    throw new StationError('certificate-not-valid', unreadable(file, error), { cause: error });
  }
  if (der === undefined) {
    throw new StationError('certificate-not-valid', `${file}: expected ${label} as PEM or DER`);
  }
  return der;
}

/** Makes a P-256 key pair: the private key in `file`, the public one beside it as `.pub`. */
export function makeSigningKey(file: string, entropy: Entropy): void {
  const pair = drawP256Key(entropy);
  writeNew(file, privateKeyPem(pair), 0o600);
  const spki = subjectPublicKeyInfo(pair.publicKey);
  try {
    writeNew(`${file}.pub`, encodePem('PUBLIC KEY', spki), 0o644);
  } catch (error) {
    rmSync(file, { force: true });
    throw error;
  }
}

export function makeSymmetricKey(file: string, entropy: Entropy): void {
  writeNew(file, `${toHex(entropy.randomBytes(32))}\n`, 0o600);
}

/** Whole or not at all. Throws StationError `exists`, or `not-written` where the disk is full. */
export function writeNew(file: string, text: string, mode: number): void {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'wx', mode);
    writeFileSync(descriptor, text);
  } catch (cause) {
    if (descriptor !== undefined) rmSync(file, { force: true });
    if (cause instanceof Error && 'code' in cause && cause.code === 'EEXIST') {
      throw new StationError('exists', `${file} is there already and is left as it is`, { cause });
    }
    const detail = cause instanceof Error ? cause.message : String(cause);
    throw new StationError('not-written', `${file} cannot be written: ${detail}`, { cause });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

function readSecretFile(file: string): Buffer {
  try {
    const mode = statSync(file).mode;
    if ((mode & othersBits(file)) !== 0) {
      throw new StationError(
        'bad-key-file',
        `${file} can be read by others (mode ${(mode & 0o777).toString(8)}); ` +
          `run: chmod 600 ${file}`,
      );
    }
    return readFileSync(file);
  } catch (error) {
    if (error instanceof StationError) throw error;
    throw new StationError('bad-key-file', unreadable(file, error), { cause: error });
  }
}

/**
 * What nobody else may do with a secret. A credential of the service manager (systemd.exec(5),
 * “Credentials”) is for this service by an access list, which shows as what the group may read.
 */
function othersBits(file: string): number {
  const isCredential = dirname(resolve(file)) === process.env['CREDENTIALS_DIRECTORY'];
  return isCredential ? 0o037 : 0o077;
}

/** What is wrong with a file that is to be read. */
export function unreadable(file: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT') return `${file} is not there`;
  return `${file} cannot be read${typeof code === 'string' ? ` (${code})` : ''}`;
}
