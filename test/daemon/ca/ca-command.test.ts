import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { toHex } from '../../../applet-spec/bytes.ts';
import { parseCertificate, validateCertificate } from '../../../applet-spec/certificate.ts';
import { parseCrl } from '../../../applet-spec/crl.ts';
import { noblePrimitives } from '../../../applet-spec/noble-primitives.ts';
import { drawP256Key, readPrivateKeyPem } from '../../../daemon/ca/p256-key-file.ts';
import { derOfFile, type PemLabel } from '../../../daemon/ca/pem.ts';
import { registerCaCommand } from '../../../daemon/cli/ca-command.ts';
import { openCaRoom, type CaRoom } from './ca-room.ts';
import { openssl } from './openssl.ts';

let room: CaRoom;
let folder: string;

beforeEach(async () => {
  room = openCaRoom();
  folder = room.file('ca');
  await ca('init', folder, '--name', 'Test network');
});
afterEach(() => {
  room.close();
});

interface Run {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

/** `keytolld ca …`, up to what it prints and its exit code. */
async function ca(...args: readonly string[]): Promise<Run> {
  let out = '';
  let err = '';
  const program = new Command('keytolld').exitOverride().configureOutput({
    writeOut: (text) => (out += text),
    writeErr: (text) => (err += text),
  });
  registerCaCommand(program, room);
  try {
    await program.parseAsync(['ca', ...args], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    return { exitCode: error.exitCode, out, err };
  }
  return { exitCode: 0, out, err };
}

/** One clear line on standard error, nothing on standard output. */
async function refusal(...args: readonly string[]): Promise<string> {
  const { exitCode, out, err } = await ca(...args);
  expect({ exitCode, out }).toEqual({ exitCode: 1, out: '' });
  expect(err).toMatch(/^[^\n]+\n$/);
  return err;
}

async function json(...args: readonly string[]): Promise<Record<string, unknown>> {
  const { exitCode, out, err } = await ca(...args, '--json');
  expect({ exitCode, err }).toEqual({ exitCode: 0, err: '' });
  return z.record(z.string(), z.unknown()).parse(JSON.parse(out));
}

function derIn(label: PemLabel, file: string): Uint8Array {
  const der = derOfFile(label, Uint8Array.from(readFileSync(file)));
  if (der === undefined) throw new Error(`${file} holds no ${label}`);
  return der;
}

describe('keytolld ca', () => {
  it('makes a CA, a station and a list that go together', async () => {
    const [key, out, list] = [room.file('q1.key.pem'), room.file('q1.pem'), room.file('list.crl')];
    const made = await json(
      ...[
        'issue',
        folder,
        '--role',
        'station-coin',
        '--name',
        'q1',
        '--key-out',
        key,
        '--out',
        out,
      ],
    );
    expect(made).toMatchObject({ role: 'station-coin', name: 'q1', key, certificate: out });
    const listed = await json('crl', folder, '--out', list, '--hours', '3');
    expect(listed).toMatchObject({ number: '2', revoked: [], nextUpdate: '2026-07-01T14:59:00Z' });
    const certificate = parseCertificate(derIn('CERTIFICATE', out));
    expect(made['serial']).toBe(toHex(certificate.serialNumber));
    expect(readPrivateKeyPem(readFileSync(key, 'utf8')).publicKey).toEqual(certificate.publicKey);
    expect(statSync(key).mode & 0o777).toBe(0o600);
    const verdict = validateCertificate(noblePrimitives, {
      certificate,
      root: parseCertificate(derIn('CERTIFICATE', room.file('ca/root.pem'))),
      crl: parseCrl(derIn('X509 CRL', list)),
      nowSeconds: room.nowSeconds(),
      role: 'station-coin',
      name: 'q1',
    });
    expect(verdict).toEqual({ ok: true, crlInGrace: false });
  });

  it('certifies a public key in any form, into a file for its owner alone', async () => {
    const keys = drawP256Key(room.entropy);
    const hex = toHex(keys.publicKey);
    const spki = `3059301306072a8648ce3d020106082a8648ce3d030107034200${hex}`;
    const pem = Buffer.from(spki, 'hex').toString('base64');
    writeFileSync(room.file('1'), keys.publicKey);
    writeFileSync(room.file('2'), `${hex}\n`);
    writeFileSync(room.file('3'), Buffer.from(spki, 'hex'));
    writeFileSync(room.file('4'), `-----BEGIN PUBLIC KEY-----\n${pem}\n-----END PUBLIC KEY-----\n`);
    for (const form of ['1', '2', '3', '4']) {
      const out = room.file(`alice-${form}.der`);
      const asked = ['--role', 'user', '--name', 'alice@q1', '--public-key', room.file(form)];
      await json('issue', folder, ...asked, '--out', out);
      expect(parseCertificate(derIn('CERTIFICATE', out)).publicKey).toEqual(keys.publicKey);
      expect(readFileSync(out)[0]).toBe(0x30);
      expect(statSync(out).mode & 0o777).toBe(0o600);
    }
    expect(await json('list', folder, '--name', 'alice@q1')).toMatchObject({
      issued: Array.from({ length: 4 }, () => ({ role: 'user', revoked: false })),
    });
    expect((await ca('list', folder, '--role', 'station-tls')).out).toBe('nothing issued\n');
  });

  it('revokes by certificate and by serial number, and OpenSSL sees it', async () => {
    const issue = async (name: string) =>
      json(
        ...['issue', folder, '--role', 'station-tls', '--name', name, '--alt', 'localhost'],
        ...['--key-out', room.file(`${name}.key`), '--out', room.file(`${name}.pem`)],
      );
    const [q1, q2] = [await issue('q1'), await issue('q2')];
    const revoked = await json('revoke', folder, '--certificate', room.file('q1.pem'));
    expect(revoked).toEqual({ serial: q1['serial'], outcome: 'revoked', crlNumber: '2' });
    const serial = String(q2['serial']).toUpperCase();
    const again = ['revoke', folder, '--serial', serial, '--reason', 'superseded'];
    expect(await json(...again)).toMatchObject({ outcome: 'revoked', crlNumber: '3' });
    expect(await json(...again)).toMatchObject({ outcome: 'already-revoked', crlNumber: '3' });
    expect((await ca('list', folder)).out.match(/revoked/g)).toHaveLength(2);
    await json('crl', folder, '--out', room.file('list.pem'));
    const { output } = openssl('crl', '-in', room.file('list.pem'), '-noout', '-text');
    expect(output).toContain(serial);
    expect(output).toMatch(/CRL Number:\s+4\n/);
  });

  it('says what is wrong in one line, and writes nothing', async () => {
    const issue = ['issue', folder, '--role', 'user', '--name', 'alice@q1'];
    const out = ['--out', room.file('a.pem')];
    const newKey = ['--key-out', room.file('a.key')];
    expect(await refusal(...issue, ...out)).toContain('--public-key FILE, or --key-out FILE');
    expect(await refusal(...issue, ...newKey, '--out', room.file('a.txt'))).toContain('.pem');
    expect(await refusal(...issue, ...newKey, ...out, '--public-key', 'x')).toContain(
      'cannot be used',
    );
    expect(await refusal(...issue, '--public-key', room.file('none'), ...out)).toContain(
      'none is not there',
    );
    expect(await refusal(...issue, '--name', 'alice', ...newKey, ...out)).toContain('alice@q1');
    expect(await refusal(...issue, '--role', 'king', ...newKey, ...out)).toContain('station-coin');
    expect(await refusal(...issue, '--days', '0', ...newKey, ...out)).toContain('whole number');
    const root = room.file('ca/root.pem');
    expect(await refusal(...issue, '--public-key', root, ...out)).toContain('neither PEM, DER');
    const secret = room.file('ca/root.key.pem');
    expect(await refusal(...issue, '--public-key', secret, ...out)).toContain('private key');
    expect(await refusal('init', folder, '--name', 'x')).toContain('name a new folder');
    expect(await refusal('crl', room.file('none'), '--out', room.file('l.crl'))).toContain(
      'ca init',
    );
    expect(await refusal('crl', folder, '--out', room.file('l.crl'), '--hours', '25')).toContain(
      '24',
    );
    expect(await refusal('revoke', folder)).toContain('--serial HEX or --certificate FILE');
    expect(await refusal('revoke', folder, '--serial', 'xyz')).toContain('no serial number');
    expect(await refusal('revoke', folder, '--serial', '01ff')).toContain('has issued nothing');
    expect(await refusal('revoke', folder, '--certificate', secret)).toContain('no certificate');
    for (const name of ['a.pem', 'a.key', 'a.txt', 'l.crl']) {
      expect(() => statSync(room.file(name))).toThrow('ENOENT');
    }
    expect((await ca('list', folder)).out).toBe('nothing issued\n');
  });

  it('overwrites no private key', async () => {
    const key = room.file('q1.key');
    const asked = ['issue', folder, '--role', 'station-tls', '--name', 'q1', '--key-out', key];
    await json(...asked, '--out', room.file('one.pem'));
    const before = readFileSync(key, 'utf8');
    expect(await refusal(...asked, '--out', room.file('two.pem'))).toContain(
      'no key is overwritten',
    );
    expect(readFileSync(key, 'utf8')).toBe(before);
  });
});
