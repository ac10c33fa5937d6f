import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../../applet-spec/bytes.ts';
import { issuanceRefusal, parseCertificate } from '../../../applet-spec/certificate.ts';
import { DeviceMaker } from '../../../emulator/card/device-maker.ts';
import { openMaker } from '../../../emulator/card/maker-folder.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { opensslPrimitives } from '../../../daemon/openssl-primitives.ts';

const key = new Uint8Array(32).fill(0x77);
const serial = new Uint8Array(16).fill(0xb5);
const nowSeconds = 1_767_268_800n;

describe('the desk of a card maker', () => {
  it('certifies devices as OpenSSL and the specification read them', () => {
    for (const seed of ['one', 'two', 'three', 'four', 'five', 'six']) {
      const maker = DeviceMaker.found(key, 'A maker', seededEntropy(seed));
      const { certificate } = maker.equip(serial);
      const [device, root] = [new X509Certificate(certificate), new X509Certificate(maker.root)];
      expect(device.verify(root.publicKey)).toBe(true);
      expect(root.verify(root.publicKey)).toBe(true);
      expect([device.ca, root.ca]).toEqual([false, true]);
      expect(device.checkIssued(root)).toBe(true);
      const read = parseCertificate(certificate);
      expect(read).toMatchObject({ role: 'card-device', name: toHex(serial) });
      const question = { certificate: read, root: parseCertificate(maker.root), nowSeconds };
      const role = 'card-device';
      expect(issuanceRefusal(opensslPrimitives, { ...question, role })).toBeUndefined();
    }
  });

  it('makes the same again from the same seed', () => {
    const made = ['seed', 'seed'].map((seed) =>
      DeviceMaker.found(key, 'A maker', seededEntropy(seed)).equip(serial),
    );
    expect(made[0]).toEqual(made[1]);
  });
});

describe('the folder of a card maker', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'keytoll-maker-'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it('is made once, and is the same maker from then on', () => {
    const maker = openMaker(join(folder, 'maker'), seededEntropy('first'));
    const again = openMaker(join(folder, 'maker'), seededEntropy('second'));
    expect(again.root).toEqual(maker.root);
    const pem = readFileSync(join(folder, 'maker', 'root.pem'), 'utf8');
    expect(new X509Certificate(pem).raw).toEqual(Buffer.from(maker.root));
    expect(statSync(join(folder, 'maker', 'root.key.pem')).mode & 0o077).toBe(0);
    const device = new X509Certificate(again.equip(serial).certificate);
    expect(device.verify(new X509Certificate(pem).publicKey)).toBe(true);
  });

  it('is refused where something else is in its place', () => {
    writeFileSync(join(folder, 'root.key.pem'), 'no key');
    expect(() => openMaker(folder, seededEntropy('x'))).toThrow(/no card maker can be read/);
    expect(readFileSync(join(folder, 'root.key.pem'), 'utf8')).toBe('no key');
  });
});
