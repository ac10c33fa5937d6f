/** A card maker on disk: its root for stations to trust, and the key that it certifies with. */
import { createPrivateKey } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { concatBytes, fromHex } from '../../applet-spec/bytes.ts';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { makeFolders } from '../folders.ts';
import { CardFileError } from './card-error.ts';
import { DeviceMaker } from './device-maker.ts';
import { drawKey } from './key-draw.ts';

const rootFile = 'root.pem';
const keyFile = 'root.key.pem';
/** PrivateKeyInfo of a P-256 scalar, up to the scalar (RFC 5208, RFC 5915). */
const pkcs8Prefix = fromHex(
  '3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420',
);

/** The maker in a folder, founded where there is none yet. Throws CardFileError. */
export function openMaker(folder: string, entropy: Entropy): DeviceMaker {
  const paths = { root: join(folder, rootFile), rootKey: join(folder, keyFile) };
  try {
    if (existsSync(paths.rootKey)) return readMaker(paths, entropy);
    makeFolders(folder, 0o700);
    const { privateKey } = drawKey(noblePrimitives, entropy);
    const maker = DeviceMaker.found(privateKey, 'Keytoll card emulator', entropy);
    // The root last: where it is, its key is.
    writeFileSync(paths.rootKey, pemOfKey(privateKey), { mode: 0o600, flag: 'wx' });
    writeFileSync(paths.root, pemOfRoot(maker.root), { flag: 'wx' });
    return maker;
  } catch (error) {
    if (error instanceof CardFileError) throw error;
    const detail = 'no card maker can be read or made here: an empty or new folder is needed';
    throw new CardFileError('maker-unusable', folder, detail, error);
  }
}

function readMaker(
  paths: { readonly root: string; readonly rootKey: string },
  entropy: Entropy,
): DeviceMaker {
  const { d, crv } = createPrivateKey(readFileSync(paths.rootKey)).export({ format: 'jwk' });
  if (crv !== 'P-256' || d === undefined) throw new RangeError('no P-256 key');
  const privateKey = Uint8Array.from(Buffer.from(d, 'base64url'));
  const base64 = readFileSync(paths.root, 'ascii').replaceAll(/-----[^-]*-----|\s/g, '');
  return DeviceMaker.open(privateKey, Uint8Array.from(Buffer.from(base64, 'base64')), entropy);
}

function pemOfKey(privateKey: Uint8Array): string {
  const der = concatBytes(pkcs8Prefix, privateKey);
  const key = createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' });
  return key.export({ format: 'pem', type: 'pkcs8' }).toString();
}

function pemOfRoot(der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}
