import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../applet-spec/bytes.ts';
import { certificateRoles, roleUsages } from '../../applet-spec/certificate-roles.ts';
import { crlFreshSeconds, crlGraceMostSeconds, crlGraceSeconds } from '../../applet-spec/crl.ts';
import { limits } from '../../applet-spec/limits.ts';
import vectors from '../../applet-spec/vectors/certificates.json' with { type: 'json' };

const page = readFileSync(new URL('../../applet-spec/certificates.md', import.meta.url), 'utf8');

describe('certificates.md', () => {
  it.each(certificateRoles)('gives the usages of %s as the code has them', (role) => {
    const row = page.split('\n').find((line) => line.startsWith(`| ${role} `));
    expect(row?.match(/\d+(?:\.\d+){4,}/g) ?? row?.match(/2\.25\.\d+\.\d/g)).toEqual([
      ...roleUsages[role],
    ]);
  });

  it('gives the bounds as the code has them', () => {
    const count = (value: bigint | number) => value.toLocaleString('en-US');
    expect(page).toContain(`at most ${count(limits.certificateBytes)} bytes`);
    expect(page).toContain(`at most ${count(limits.crlBytes)} bytes`);
    expect(page).toContain(`for ${count(crlFreshSeconds)} seconds after`);
    expect(page).toContain(`${count(crlGraceSeconds)} seconds unless configured`);
    expect(page).toContain(`${count(crlGraceMostSeconds)} at most`);
  });

  it('names every verdict of the vectors', () => {
    const codes = [...vectors.refused.map(({ expected }) => expected)];
    codes.push(...[...vectors.malformed, ...vectors.malformedCrls].map(({ code }) => code));
    for (const code of new Set(codes)) expect(page).toContain(`\`${code}\``);
  });

  it('shows the bytes of the first vector', () => {
    const certificate = vectors.accepted[0]?.certificate ?? '';
    const example = /```\n(.*?)```/s.exec(page)?.[1] ?? '';
    const lines = example
      .split('\n')
      .map((line) => /^\s*((?:[0-9a-f]{2,} ?)+(?= {2}|$))/.exec(line)?.[1]);
    const shown = lines.flatMap((line) => line?.replaceAll(' ', '') ?? []);
    expect(shown.length).toBeGreaterThan(6);
    // The signature, and so the outer length, is another whenever the vectors are made.
    for (const bytes of shown.slice(1)) expect(certificate).toContain(bytes);
    expect(toHex(Uint8Array.of(0x30, 0x82))).toBe(certificate.slice(0, 4));
  });
});
