/** `applet-spec/attestation.md` says what the code does. */
import { describe, expect, it } from 'vitest';
import {
  attestAnswer,
  attestation,
  attestationRefusals,
  cardKeyPolicy,
  keyPolicyBits,
} from '../../applet-spec/attestation.ts';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { roleUsages } from '../../applet-spec/certificate-roles.ts';
import { cardResults, commands } from '../../applet-spec/commands.ts';
import { labels } from '../../applet-spec/labels.ts';
import { limits } from '../../applet-spec/limits.ts';
import { readTlv } from '../../applet-spec/tlv.ts';
import vectors from '../../applet-spec/vectors/attestation.json' with { type: 'json' };
import { readPage, rowsOf } from './specification-tables.ts';

const page = readPage('attestation.md');
const [first] = vectors.attestation;
const bytes = fromHex(first?.hex ?? '');

function hexTag(tag: number): string {
  return toHex(Uint8Array.of(tag)).toUpperCase();
}

describe('attestation.md', () => {
  it('opens with the first vector, byte for byte, and as long as the page says', () => {
    const [shown] = page.example("the first vector's attestation");
    expect(shown && toHex(shown)).toBe(first?.hex);
    expect(page.text).toContain(`${bytes.length} bytes`);
    expect(page.text).toContain(`\`${toHex(labels.attestation)}\``);
  });

  it('gives the fields as the code has them', () => {
    const { body, bodyBytes } = attestation.decode(bytes);
    expect(page.text).toContain(`the ${bodyBytes.length} bytes`);
    const { content } = readTlv(bodyBytes, 0);
    const tags: string[] = [];
    for (let at = 0; at < content.length;) {
      const { tag, end } = readTlv(content, at);
      tags.push(hexTag(tag));
      at = end;
    }
    const rows = rowsOf(page.section(`Attestation (${hexTag(attestation.tag)})`));
    const fields = rows.filter(([tag]) => tags.includes(tag ?? ''));
    expect(fields.map(([tag, name]) => [tag, name])).toEqual(
      Object.keys(body).map((name, i) => [tags[i], name]),
    );
    expect(fields.find(([, name]) => name === 'nonce')?.[2]).toBe(
      `bytes(${limits.nonceBytesLeast}–${limits.nonceBytesMost})`,
    );
  });

  it('gives every promise with its bit, and their sum', () => {
    const promises = rowsOf(page.text).flatMap(([bit, name = '']) =>
      name.replaceAll('`', '') in keyPolicyBits
        ? [[name.replaceAll('`', ''), Number.parseInt(bit ?? '', 16)]]
        : [],
    );
    expect(promises).toEqual(Object.entries(keyPolicyBits));
    expect(Object.values(keyPolicyBits).reduce((sum, bit) => sum + bit, 0)).toBe(cardKeyPolicy);
    expect(page.text).toContain(`${hexTag(cardKeyPolicy)} on a card of this page`);
  });

  it('gives command, answer and results', () => {
    const { cla, ins } = commands.attest;
    const section = page.section('ATTEST');
    expect(section).toContain(`${hexTag(cla)} ${hexTag(ins)} 00 00`);
    expect(section).toContain(`element ${hexTag(attestAnswer.tag)}`);
    const named = rowsOf(section).flatMap(([name]) => /^`(.*)`$/.exec(name ?? '')?.[1] ?? []);
    expect(named).toHaveLength(3);
    for (const name of named) expect(Object.keys(cardResults)).toContain(name);
  });

  it('gives every refusal in the order in which it is looked for', () => {
    const rows = rowsOf(page.section('What a station checks'));
    expect(rows.map(([code]) => code?.replaceAll('`', ''))).toEqual([...attestationRefusals]);
  });

  it('is of the role that the code has', () => {
    const [usage = ''] = roleUsages['card-device'];
    expect(page.text).toContain(usage.slice(0, usage.lastIndexOf('.')));
  });
});
