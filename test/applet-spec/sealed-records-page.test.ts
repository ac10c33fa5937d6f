/** `applet-spec/sealed-records.md` says what the code does. */
import { describe, expect, it } from 'vitest';
import { toHex } from '../../applet-spec/bytes.ts';
import { limits } from '../../applet-spec/limits.ts';
import { GCM_TAG_BYTES } from '../../applet-spec/primitive-input.ts';
import {
  RECORD_HEADER_BYTES,
  RECORD_PLAINTEXT_BYTES_MOST,
  RECORD_SEQUENCE_MOST,
  RECORD_VERSION,
  recordKinds,
} from '../../applet-spec/sealed-record.ts';
import vectors from '../../applet-spec/vectors/sealed-records.json' with { type: 'json' };
import { readPage, rowsOf } from './specification-tables.ts';

const page = readPage('sealed-records.md');
const flowing = page.text.replaceAll(/\s+/g, ' ');

describe('sealed-records.md', () => {
  it('opens with a vector, byte for byte', () => {
    const example = /```\n(01 .*?)```/s.exec(page.text)?.[1] ?? '';
    const shown = example
      .split('\n')
      .map((line) => line.trim().split(/ {2,}/)[0] ?? '')
      .join('');
    const vector = vectors.accepted.find(({ record }) => record === shown);
    expect(vector).toMatchObject({ kind: 'peer', epoch: 1, sequence: 0 });
    expect(flowing).toContain(`Key \`${vector?.key ?? ''}\``);
    expect(flowing).toContain(`${(vector?.plaintext.length ?? 0) / 2} bytes inside`);
  });

  it('gives the layout', () => {
    const rows = rowsOf(page.section('Layout'));
    const field = (name: string) => rows.find(([found]) => found === name) ?? [];
    const header = rows.slice(0, 4).map(([, bytes]) => Number(bytes));
    expect(header.reduce((sum, bytes) => sum + bytes, 0)).toBe(RECORD_HEADER_BYTES);
    expect(field('version')[2]).toBe(toHex(Uint8Array.of(RECORD_VERSION)));
    const kinds = Object.entries(recordKinds)
      .map(([name, code]) => `${toHex(Uint8Array.of(code))} ${name}`)
      .join(', ');
    expect(field('kind')[2]).toBe(kinds);
    expect(field('sequence number')[2]).toContain(RECORD_SEQUENCE_MOST.toLocaleString('en-US'));
    const most = RECORD_PLAINTEXT_BYTES_MOST.toLocaleString('en-US');
    expect(field('ciphertext')[1]).toBe(`0–${most}`);
    expect(field('tag')[1]).toBe(String(GCM_TAG_BYTES));
    expect(flowing).toContain(`header of ${RECORD_HEADER_BYTES} bytes`);
    expect(flowing).toContain(`which of the ${limits.peerMessageRecords} that end with it`);
  });
});
