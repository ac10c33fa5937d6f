import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { toHex } from '../../../applet-spec/bytes.ts';
import {
  certificateHash,
  parseCertificate,
  validateCertificate,
  type CertificateRole,
  type CertificateVerdict,
} from '../../../applet-spec/certificate.ts';
import { newerCrl, parseCrl } from '../../../applet-spec/crl.ts';
import { noblePrimitives } from '../../../applet-spec/noble-primitives.ts';
import { CaError } from '../../../daemon/ca/ca-error.ts';
import { CertificateAuthority } from '../../../daemon/ca/certificate-authority.ts';
import { drawP256Key, privateKeyPem, readPrivateKeyPem } from '../../../daemon/ca/p256-key-file.ts';
import { openCaRoom, type CaRoom } from './ca-room.ts';
import { openssl } from './openssl.ts';

const hour = 3_600;
const day = 24 * hour;

let room: CaRoom;
let ca: CertificateAuthority;

beforeEach(async () => {
  room = openCaRoom();
  ca = await CertificateAuthority.init(room.file('ca'), { ...room, name: 'Test network' });
});
afterEach(() => {
  room.close();
});

function newKey(): Uint8Array {
  return drawP256Key(room.entropy).publicKey;
}

function judge(
  der: Uint8Array,
  crl: Uint8Array | undefined,
  role: CertificateRole,
  name?: string,
): CertificateVerdict {
  return validateCertificate(noblePrimitives, {
    certificate: parseCertificate(der),
    root: parseCertificate(ca.root),
    crl: crl && parseCrl(crl),
    nowSeconds: room.nowSeconds(),
    role,
    ...(name !== undefined && { name }),
  });
}

async function caErrorCode(run: Promise<unknown>): Promise<string> {
  try {
    await run;
  } catch (error) {
    if (error instanceof CaError) {
      expect(error.message).not.toContain('\n');
      return error.code;
    }
    throw error;
  }
  return 'nothing thrown';
}

describe('issuing', () => {
  it.each([
    ['user', 'alice@q1'],
    ['station-coin', 'q1'],
    ['station-document', 'q1'],
    ['station-tls', 'q1'],
  ] as const)('certifies a %s, who is then accepted in that role alone', async (role, name) => {
    const publicKey = newKey();
    const der = await ca.issue({ role, name, publicKey });
    expect(parseCertificate(der).publicKey).toEqual(publicKey);
    const crl = await ca.freshCrl();
    for (const asked of ['user', 'station-coin', 'station-document', 'station-tls'] as const) {
      const verdict = judge(der, crl, asked, name);
      expect(verdict).toMatchObject(asked === role ? { ok: true } : { reason: 'wrong-role' });
    }
    expect(judge(der, crl, role, 'q9')).toMatchObject({ reason: 'wrong-name' });
  });

  it('lets an enrolment desk in the same process certify a user', async () => {
    const der = await ca.issueUser(newKey(), 'alice@q1');
    expect(judge(der, await ca.freshCrl(), 'user', 'alice@q1')).toMatchObject({ ok: true });
  });

  it('ends certificates after their days, and never after the root', async () => {
    const short = await ca.issue({ role: 'user', name: 'a@q1', publicKey: newKey(), days: 1 });
    room.clock.advanceSeconds(day);
    expect(judge(short, await ca.freshCrl(), 'user')).toMatchObject({ ok: true });
    room.clock.advanceSeconds(1);
    expect(judge(short, await ca.freshCrl(), 'user')).toMatchObject({ reason: 'expired' });
    const long = await ca.issue({ role: 'user', name: 'a@q1', publicKey: newKey(), days: 3_650 });
    expect(parseCertificate(long).notAfter).toBe(parseCertificate(ca.root).notAfter);
    room.clock.advanceSeconds(3_650 * day);
    expect(await caErrorCode(ca.issueUser(newKey(), 'a@q1'))).toBe('bad-request');
  });

  it('gives every certificate another serial number, and keeps no certificate', async () => {
    const [one, two] = [await ca.issueUser(newKey(), 'a@q1'), await ca.issueUser(newKey(), 'a@q1')];
    const issued = await ca.issued();
    expect(new Set(issued.map(({ serialNumber }) => serialNumber)).size).toBe(2);
    expect(issued.map((record) => record.certificateHash).sort()).toEqual(
      [one, two].map((der) => toHex(certificateHash(noblePrimitives, der))).sort(),
    );
    const texts = everyFile(room.file('ca')).map((file) => readFileSync(file, 'latin1'));
    const wholeRoot = texts.join('').replace(/\s/g, '');
    // The search finds what is there, the root's certificate in base64.
    expect(textForms(ca.root.slice(100, 148)).some((form) => wholeRoot.includes(form))).toBe(true);
    for (const form of textForms(one.slice(100, 148))) expect(wholeRoot).not.toContain(form);
  });

  it.each([
    ['a user without a station', { role: 'user', name: 'alice' }],
    ['a station named like a user', { role: 'station-coin', name: 'alice@q1' }],
    ['capitals', { role: 'station-tls', name: 'Q1' }],
    ['no day at all', { role: 'user', name: 'a@q1', days: 0 }],
    ['half a day', { role: 'user', name: 'a@q1', days: 0.5 }],
    [
      'a second name for a coin key',
      { role: 'station-coin', name: 'q1', alternativeNames: ['q2'] },
    ],
    ['no DNS name', { role: 'station-tls', name: 'q1', alternativeNames: ['a b'] }],
  ] as const)('refuses %s, and records nothing', async (_what, request) => {
    expect(await caErrorCode(ca.issue({ publicKey: newKey(), ...request }))).toBe('bad-request');
    expect(await ca.issued()).toEqual([]);
  });

  it('refuses what is no point of P-256', async () => {
    const off = newKey();
    off[64] = (off[64] ?? 0) ^ 1;
    for (const publicKey of [off, new Uint8Array(65), off.subarray(1), new Uint8Array(0)]) {
      expect(await caErrorCode(ca.issueUser(publicKey, 'a@q1'))).toBe('bad-request');
    }
    expect(await ca.issued()).toEqual([]);
  });
});

describe('revoking', () => {
  it('puts the certificate on a list with a higher number, at once', async () => {
    const alice = await ca.issueUser(newKey(), 'alice@q1');
    const bob = await ca.issueUser(newKey(), 'bob@q1');
    const before = await ca.freshCrl();
    expect(judge(alice, before, 'user')).toMatchObject({ ok: true });
    const { serialNumber } = parseCertificate(alice);
    expect(await ca.revoke(serialNumber)).toEqual({ outcome: 'revoked' });
    const after = await ca.freshCrl();
    expect(newerCrl(parseCrl(before), parseCrl(after))).toBe(true);
    expect(judge(alice, after, 'user')).toMatchObject({ reason: 'revoked' });
    expect(judge(bob, after, 'user')).toMatchObject({ ok: true });
    expect(await ca.revoke(serialNumber)).toEqual({ outcome: 'already-revoked' });
    expect(await ca.freshCrl()).toEqual(after);
  });

  it('serves a card maker as well: a device is named by its serial number', async () => {
    const serial = '5a'.repeat(16);
    const der = await ca.issue({ role: 'card-device', name: serial, publicKey: newKey() });
    expect(parseCertificate(der)).toMatchObject({ role: 'card-device', name: serial });
    const wrong = { role: 'card-device', publicKey: newKey() } as const;
    for (const name of ['q1', 'alice@q1', serial.slice(2), serial.toUpperCase()]) {
      await expect(ca.issue({ ...wrong, name })).rejects.toMatchObject({ code: 'bad-request' });
    }
  });

  it('knows no serial number that it did not issue', async () => {
    expect(await ca.revoke(Uint8Array.of(1, 2, 3))).toEqual({ outcome: 'unknown-serial' });
    expect(parseCrl(await ca.freshCrl()).revoked.size).toBe(0);
  });

  it('lists a revoked certificate until a week after its end', async () => {
    const der = await ca.issue({ role: 'user', name: 'a@q1', publicKey: newKey(), days: 10 });
    await ca.revoke(parseCertificate(der).serialNumber, 'superseded');
    room.clock.advanceSeconds(17 * day);
    expect(parseCrl(await ca.publishCrl()).revoked.size).toBe(1);
    room.clock.advanceSeconds(1);
    expect(parseCrl(await ca.publishCrl()).revoked.size).toBe(0);
    expect(await ca.issued()).toMatchObject([{ revoked: true }]);
  });

  it('heals a crash between the record and the list', async () => {
    const der = await ca.issueUser(newKey(), 'alice@q1');
    const serial = toHex(parseCertificate(der).serialNumber);
    const record = {
      serialNumber: serial,
      revokedAt: '1',
      reason: 'superseded',
      notAfter: '9999999999',
    };
    writeFileSync(room.file(`ca/revoked/${serial}.json`), JSON.stringify(record));
    expect(judge(der, await ca.freshCrl(), 'user')).toMatchObject({ reason: 'revoked' });
  });
});

describe('lists', () => {
  it('are there from the start, fresh for a day, and renewed at half their life', async () => {
    const first = await ca.freshCrl();
    expect(parseCrl(first)).toMatchObject({ number: 1n });
    room.clock.advanceSeconds(12 * hour - 61);
    expect(await ca.freshCrl()).toEqual(first);
    room.clock.advanceSeconds(1);
    expect(parseCrl(await ca.freshCrl())).toMatchObject({ number: 2n });
    const der = await ca.issueUser(newKey(), 'a@q1');
    room.clock.advanceSeconds(2 * day);
    expect(judge(der, first, 'user')).toMatchObject({ reason: 'crl-stale' });
    expect(judge(der, undefined, 'user')).toMatchObject({ reason: 'crl-missing' });
    expect(judge(der, await ca.freshCrl(), 'user')).toMatchObject({ ok: true, crlInGrace: false });
  });

  it('are good for the hours asked for, and for no more than a day', async () => {
    const { thisUpdate, nextUpdate } = parseCrl(await ca.publishCrl(2));
    expect(nextUpdate - thisUpdate).toBe(7_200n);
    for (const hours of [0, 25, 1.5]) {
      expect(await caErrorCode(ca.publishCrl(hours))).toBe('bad-request');
    }
  });

  it('never share a number between two that work on one folder', async () => {
    const other = await CertificateAuthority.open(room.file('ca'), room);
    const user = await ca.issueUser(newKey(), 'alice@q1');
    const publishing = [ca, other, ca, other, ca, other].map((authority) => authority.publishCrl());
    const [revocation, ...lists] = await Promise.all([
      other.revoke(parseCertificate(user).serialNumber),
      ...publishing,
    ]);
    expect(revocation).toEqual({ outcome: 'revoked' });
    const numbers = lists.map((der) => parseCrl(der).number);
    expect(new Set(numbers).size).toBe(numbers.length);
    expect(judge(user, await ca.freshCrl(), 'user')).toMatchObject({ reason: 'revoked' });
  });

  it('leave the newest sixteen in the folder', async () => {
    for (let i = 0; i < 20; i++) await ca.publishCrl();
    const kept = readdirSync(room.file('ca/crl')).sort();
    expect(kept).toHaveLength(16);
    expect(kept.at(-1)).toBe('000000000021.crl');
    expect(parseCrl(await ca.freshCrl()).number).toBe(21n);
  });
});

describe("the CA's folder", () => {
  it('keeps the key to its owner', () => {
    expect(statSync(room.file('ca/root.key.pem')).mode & 0o777).toBe(0o600);
    expect(statSync(room.file('ca')).mode & 0o777).toBe(0o700);
    // No half-written file stays behind.
    expect(everyFile(room.path).filter((file) => file.includes('/.'))).toEqual([]);
  });

  it('goes on where it was after a restart', async () => {
    const alice = await ca.issueUser(newKey(), 'alice@q1');
    const again = await CertificateAuthority.open(room.file('ca'), room);
    expect(again.root).toEqual(ca.root);
    expect(await again.issued()).toMatchObject([{ name: 'alice@q1', revoked: false }]);
    const crl = await again.freshCrl();
    expect(judge(await again.issueUser(newKey(), 'bob@q1'), crl, 'user')).toMatchObject({
      ok: true,
    });
    expect(judge(alice, crl, 'user')).toMatchObject({ ok: true });
  });

  it('is made in an empty folder, never over anything', async () => {
    const init = { ...room, name: 'Second' };
    expect(await caErrorCode(CertificateAuthority.init(room.file('ca'), init))).toBe(
      'folder-in-use',
    );
    expect((await CertificateAuthority.open(room.file('ca'), room)).root).toEqual(ca.root);
    mkdirSync(room.file('empty'));
    await CertificateAuthority.init(room.file('empty'), init);
    writeFileSync(room.file('a-file'), 'x');
    expect(await caErrorCode(CertificateAuthority.init(room.file('a-file'), init))).toBe(
      'folder-in-use',
    );
    expect(readdirSync(room.path).sort()).toEqual(['a-file', 'ca', 'empty']);
    expect(
      await caErrorCode(CertificateAuthority.init(room.file('new'), { ...init, name: ' ' })),
    ).toBe('bad-request');
  });

  it('says what is missing or damaged', async () => {
    const open = async () => CertificateAuthority.open(room.file('ca'), room);
    expect(await caErrorCode(CertificateAuthority.open(room.file('none'), room))).toBe(
      'folder-unusable',
    );
    const user = await ca.issueUser(newKey(), 'a@q1');
    const serial = toHex(parseCertificate(user).serialNumber);
    writeFileSync(room.file(`ca/issued/${serial}.json`), '{"serialNumber":');
    expect(await caErrorCode(ca.revoke(parseCertificate(user).serialNumber))).toBe(
      'folder-unusable',
    );
    rmSync(room.file('ca/crl'), { recursive: true });
    expect(await caErrorCode(ca.freshCrl())).toBe('folder-unusable');
    writeFileSync(room.file('ca/root.key.pem'), privateKeyPem(drawP256Key(room.entropy)));
    expect(await caErrorCode(open())).toBe('folder-unusable');
    writeFileSync(room.file('ca/root.key.pem'), 'secret');
    expect(await caErrorCode(open())).toBe('folder-unusable');
  });
});

describe('OpenSSL', () => {
  it('verifies every role under the root, and sees names, usages and the path length', async () => {
    for (const [role, name, words] of [
      ['user', 'alice@q1', ['email:alice@q1', '2.25.265741460712832717140298517270269272659.1']],
      ['station-coin', 'q1', ['DNS:q1', '2.25.265741460712832717140298517270269272659.2']],
      ['station-document', 'q1', ['DNS:q1', '2.25.265741460712832717140298517270269272659.3']],
      ['station-tls', 'q1', ['DNS:q1, DNS:localhost, IP Address:127.0.0.1', 'TLS Web Server']],
    ] as const) {
      const alternativeNames = role === 'station-tls' ? ['localhost', '127.0.0.1'] : [];
      const der = await ca.issue({ role, name, publicKey: newKey(), alternativeNames });
      writeFileSync(room.file('leaf.der'), der);
      const at = ['-attime', String(room.nowSeconds()), '-x509_strict'];
      const verified = openssl(
        'verify',
        ...at,
        '-CAfile',
        room.file('ca/root.pem'),
        room.file('leaf.der'),
      );
      expect(verified).toMatchObject({ status: 0, output: `${room.file('leaf.der')}: OK\n` });
      const { output } = openssl('x509', '-in', room.file('leaf.der'), '-noout', '-text');
      for (const word of [...words, 'Digital Signature', 'CN = Test network']) {
        expect(output).toContain(word);
      }
    }
    const { output } = openssl('x509', '-in', room.file('ca/root.pem'), '-noout', '-text');
    expect(output).toContain('CA:TRUE, pathlen:0');
    expect(output).toContain('Certificate Sign, CRL Sign');
  });

  it('reads the list, verifies it, and refuses the revoked certificate by it', async () => {
    const [alice, bob] = [
      await ca.issueUser(newKey(), 'alice@q1'),
      await ca.issueUser(newKey(), 'bob@q1'),
    ];
    await ca.revoke(parseCertificate(alice).serialNumber);
    writeFileSync(room.file('list.crl'), await ca.freshCrl());
    const pem = openssl('crl', '-in', room.file('list.crl'), '-out', room.file('list.pem'));
    expect(pem.status).toBe(0);
    const root = room.file('ca/root.pem');
    const read = openssl('crl', '-in', room.file('list.crl'), '-CAfile', root, '-noout', '-text');
    expect(read.output).toContain('verify OK');
    expect(read.output).toMatch(/X509v3 CRL Number:\s+2\n/);
    expect(read.output).toContain(toHex(parseCertificate(alice).serialNumber).toUpperCase());
    expect(read.output).toContain('Key Compromise');
    writeFileSync(room.file('alice.der'), alice);
    writeFileSync(room.file('bob.der'), bob);
    const at = [
      '-attime',
      String(room.nowSeconds()),
      '-crl_check',
      '-CRLfile',
      room.file('list.pem'),
    ];
    const verify = (name: string) => openssl('verify', ...at, '-CAfile', root, room.file(name));
    expect(verify('bob.der').output).toContain('bob.der: OK');
    expect(verify('alice.der').output).toContain('certificate revoked');
  });

  it('shares key files with us', () => {
    const keys = drawP256Key(room.entropy);
    writeFileSync(room.file('key.pem'), privateKeyPem(keys));
    expect(openssl('pkey', '-in', room.file('key.pem'), '-noout', '-check').output).toContain(
      'valid',
    );
    const made = ['genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'];
    openssl(...made, '-out', room.file('theirs.pem'));
    const theirs = readPrivateKeyPem(readFileSync(room.file('theirs.pem'), 'utf8'));
    openssl(
      'pkey',
      '-in',
      room.file('theirs.pem'),
      '-pubout',
      '-outform',
      'DER',
      '-out',
      room.file('p.der'),
    );
    expect(readFileSync(room.file('p.der')).subarray(-65)).toEqual(Buffer.from(theirs.publicKey));
  });
});

function everyFile(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `${entry.parentPath}/${entry.name}`);
}

/** Raw, hexadecimal, and the inner part of base64 at each of its three alignments. */
function textForms(window: Uint8Array): string[] {
  const bytes = Buffer.from(window);
  const base64 = [0, 1, 2].map((skipped) =>
    bytes.subarray(skipped).toString('base64').slice(0, 40),
  );
  return [bytes.toString('latin1').replace(/\s/g, ''), bytes.toString('hex'), ...base64];
}
