import { describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import {
  certificateHash,
  parseCertificate,
  validateCertificate,
  type Certificate,
  type CertificateQuestion,
} from '../../applet-spec/certificate.ts';
import { CertificateError } from '../../applet-spec/certificate-error.ts';
import { certificateRoles, type CertificateRole } from '../../applet-spec/certificate-roles.ts';
import { crlFreshness, newerCrl, parseCrl, verifyCrl } from '../../applet-spec/crl.ts';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import vectors from '../../applet-spec/vectors/certificates.json' with { type: 'json' };
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';

interface VerdictVector {
  readonly certificate: string;
  readonly root: string;
  readonly crl: string | null;
  readonly now: number;
  readonly role: string;
  readonly name?: string;
  readonly grace?: number;
}

const implementations = [
  { implementation: 'noble', primitives: noblePrimitives },
  { implementation: 'OpenSSL', primitives: opensslPrimitives },
];

describe.each(implementations)('certificates of another maker, by $implementation', (which) => {
  const { primitives } = which;

  it.each(vectors.accepted)('accepts $comment', (vector) => {
    const verdict = validateCertificate(primitives, questionOf(vector));
    expect(verdict).toEqual({ ok: true, crlInGrace: vector.expected === 'grace' });
  });

  it.each(vectors.refused)('refuses $comment', (vector) => {
    const verdict = validateCertificate(primitives, questionOf(vector));
    expect(verdict).toMatchObject({ ok: false, reason: vector.expected });
    if (!verdict.ok) expect(verdict.detail).not.toBe('');
  });
});

describe('reading certificates', () => {
  it.each(vectors.malformed)('refuses to read $comment', ({ der, code }) => {
    expect(codeOf(() => parseCertificate(fromHex(der)))).toBe(code);
  });

  it('gives what the maker wrote', () => {
    const der = fromHex(vectorOf("a station's coin key").certificate);
    const certificate = parseCertificate(der);
    expect(certificate).toMatchObject({
      role: 'station-coin',
      name: 'q1',
      isCa: false,
      algorithm: 'ecdsa-p256-sha256',
      keyUsage: new Set(['digitalSignature']),
      unknownCritical: [],
      notBefore: 1_782_043_200n,
      notAfter: 1_808_827_200n,
    });
    expect(toHex(certificate.serialNumber)).toBe('1234');
    expect(certificate.publicKey).toHaveLength(65);
    expect(certificate.der).toEqual(der);
    const root = parseCertificate(fromHex(vectorOf('a user').root));
    expect(root).toMatchObject({ role: 'ca', isCa: true, name: undefined });
    expect(root.keyUsage).toEqual(new Set(['keyCertSign', 'cRLSign']));
    expect(root.subject).toEqual(certificate.issuer);
    expect(root.subjectKeyId).toBe(certificate.authorityKeyId);
  });

  it('keeps its own copy of the bytes', () => {
    const der = fromHex(vectorOf('a user').certificate);
    const certificate = parseCertificate(der);
    const before = certificate.der.slice();
    der.fill(0);
    expect(certificate.der).toEqual(before);
    expect(parseCertificate(before)).toEqual(certificate);
  });

  it('refuses a root of the future, and one with critical extensions that it does not know', () => {
    const question = questionOf(vectorOf('a user'));
    const { root, nowSeconds } = question;
    const judged = (changes: Partial<Certificate>) =>
      validateCertificate(noblePrimitives, { ...question, root: { ...root, ...changes } });
    expect(judged({ notBefore: nowSeconds })).toMatchObject({ ok: true });
    expect(judged({ notBefore: nowSeconds + 1n })).toMatchObject({ reason: 'not-yet-valid' });
    expect(judged({ notAfter: nowSeconds })).toMatchObject({ ok: true });
    expect(judged({ unknownCritical: ['2.5.29.30'] })).toMatchObject({ reason: 'bad-root' });
  });

  it('holds its own dates against the time that is asked for', () => {
    const question = questionOf(refusedVector('expired a second ago'));
    const { notBefore, notAfter } = question.certificate;
    const judged = (atSeconds: bigint) =>
      validateCertificate(noblePrimitives, { ...question, atSeconds });
    expect(judged(notAfter)).toMatchObject({ ok: true });
    expect(judged(notAfter + 1n)).toMatchObject({ reason: 'expired' });
    expect(judged(notBefore)).toMatchObject({ ok: true });
    expect(judged(notBefore - 1n)).toMatchObject({ reason: 'not-yet-valid' });
  });

  it('hashes the DER', () => {
    expect(toHex(certificateHash(noblePrimitives, fromHex('616263')))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
  });

  it('answers every cut and every flipped bit with CertificateError or a refusal', () => {
    const vector = vectorOf('a user');
    const good = fromHex(vector.certificate);
    for (let length = 0; length < good.length; length++) {
      expect(codeOf(() => parseCertificate(good.subarray(0, length)))).toBe('malformed');
    }
    let read = 0;
    for (let bit = 0; bit < 8 * good.length; bit++) {
      const flipped = good.slice();
      const at = bit >> 3;
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (bit & 7));
      const question = withCertificate(vector, flipped);
      if (question === undefined) continue;
      read++;
      expect(validateCertificate(opensslPrimitives, question).ok).toBe(false);
    }
    expect(read).toBeGreaterThan(1_000);
  });
});

describe('reading lists of revoked certificates', () => {
  it.each(vectors.crls)('reads $comment', ({ der, number, revoked, thisUpdate, nextUpdate }) => {
    const crl = parseCrl(fromHex(der));
    expect(crl.number).toBe(BigInt(number));
    expect([...crl.revoked].sort()).toEqual([...revoked].sort());
    expect([crl.thisUpdate, crl.nextUpdate]).toEqual([BigInt(thisUpdate), BigInt(nextUpdate)]);
  });

  it.each(vectors.malformedCrls)('refuses to read $comment', ({ der, code }) => {
    expect(codeOf(() => parseCrl(fromHex(der)))).toBe(code);
  });

  it('refuses more than its bound before it reads', () => {
    expect(codeOf(() => parseCrl(new Uint8Array(400_001)))).toBe('too-large');
  });

  it('remembers a verification for its own root alone', () => {
    const { crl, root } = questionOf(vectorOf('a user'));
    const other = parseCertificate(fromHex(refusedVector('a root for lists alone').root));
    const unfit = parseCertificate(
      fromHex(refusedVector('a list under a root that signs none').root),
    );
    if (crl === undefined) throw new Error('the vector has a list');
    expect(verifyCrl(noblePrimitives, crl, root)).toBe(true);
    expect(verifyCrl(noblePrimitives, crl, other)).toBe(true);
    expect(verifyCrl(noblePrimitives, crl, unfit)).toBe(false);
    expect(verifyCrl(noblePrimitives, crl, root)).toBe(true);
  });

  it('takes a list with a higher number, and none that stands still or goes back', () => {
    const [zero, high, seven] = vectors.crls.map(({ der }) => parseCrl(fromHex(der)));
    if (zero === undefined || high === undefined || seven === undefined) throw new Error('vectors');
    expect(newerCrl(undefined, zero)).toBe(true);
    expect(newerCrl(zero, seven)).toBe(true);
    expect(newerCrl(seven, high)).toBe(true);
    expect(newerCrl(seven, seven)).toBe(false);
    expect(newerCrl(seven, zero)).toBe(false);
    expect(newerCrl(high, seven)).toBe(false);
  });

  it('bounds the grace at a day', () => {
    const crl = { thisUpdate: 1_000n, nextUpdate: 2_000n };
    expect(crlFreshness(crl, 2_000n, 86_400n)).toBe('fresh');
    expect(crlFreshness(crl, 2_001n, 86_400n)).toBe('grace');
    expect(crlFreshness(crl, 88_400n, 86_400n)).toBe('grace');
    expect(crlFreshness(crl, 88_401n, 86_400n)).toBe('stale');
    expect(crlFreshness(crl, 2_001n, 0n)).toBe('stale');
    expect(() => crlFreshness(crl, 1_500n, 86_401n)).toThrow(RangeError);
    expect(() => crlFreshness(crl, 1_500n, -1n)).toThrow(RangeError);
  });
});

function questionOf(vector: VerdictVector): CertificateQuestion {
  return {
    certificate: parseCertificate(fromHex(vector.certificate)),
    root: parseCertificate(fromHex(vector.root)),
    crl: vector.crl === null ? undefined : parseCrl(fromHex(vector.crl)),
    nowSeconds: BigInt(vector.now),
    role: roleNamed(vector.role),
    ...(vector.name !== undefined && { name: vector.name }),
    ...(vector.grace !== undefined && { graceSeconds: BigInt(vector.grace) }),
  };
}

function withCertificate(vector: VerdictVector, der: Uint8Array): CertificateQuestion | undefined {
  try {
    return { ...questionOf(vector), certificate: parseCertificate(der) };
  } catch (error) {
    if (error instanceof CertificateError) return undefined;
    throw error;
  }
}

function roleNamed(name: string): CertificateRole {
  const role = certificateRoles.find((known) => known === name);
  if (role === undefined) throw new Error(`no role ${name}`);
  return role;
}

function vectorOf(comment: string): VerdictVector {
  const vector = vectors.accepted.find((candidate) => candidate.comment === comment);
  if (vector === undefined) throw new Error(`no vector: ${comment}`);
  return vector;
}

function refusedVector(comment: string): VerdictVector {
  const vector = vectors.refused.find((candidate) => candidate.comment === comment);
  if (vector === undefined) throw new Error(`no vector: ${comment}`);
  return vector;
}

/** The code of the CertificateError that `run` throws. */
function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof CertificateError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}
