import { describe, expect, it } from 'vitest';
import { toHex } from '../../applet-spec/bytes.ts';
import {
  deskMessage,
  deskRefusalCodes,
  hostMessage,
  paymentStandings,
} from '../../applet-spec/desk-messages.ts';
import { limits } from '../../applet-spec/limits.ts';
import { readTlv } from '../../applet-spec/tlv.ts';
import { encodedDeskSamples, encodedHostSamples, type EncodedSample } from './desk-samples.ts';
import { readPage, rowsOf } from './specification-tables.ts';

const page = readPage('desk.md');

/** Fields that a message may leave out; everything else is always there. */
const optionalFields = new Set([
  'account.certificateEnd',
  'coins.after',
  'concluded.replacement',
  'station.formerCertificates',
]);

const hex = (tag: number): string => tag.toString(16).toUpperCase().padStart(2, '0');

/** A row of a table of messages, made from the codec: tag, name, and its fields with their tags. */
function rowOf(kind: string, names: readonly string[], bytes: Uint8Array): string[] {
  const { tag, content } = readTlv(bytes, 0);
  const tags: string[] = [];
  for (let offset = 0; offset < content.length;) {
    const field = readTlv(content, offset);
    tags.push(hex(field.tag));
    offset = field.end;
  }
  const fields = names.map((name, i) => {
    const field = `${tags[i] ?? '?'} ${name}`;
    return optionalFields.has(`${kind}.${name}`) ? `(${field})` : field;
  });
  return [hex(tag), kind, fields.join(', ') || 'none'];
}

function rows(samples: readonly EncodedSample[]): string[][] {
  return samples.map(({ kind, content, bytes }) => rowOf(kind, Object.keys(content), bytes));
}

describe('desk.md', () => {
  it('gives the messages of the host as the code has them', () => {
    expect(rowsOf(page.section('Messages of the host'))).toEqual(rows(encodedHostSamples));
  });

  it('gives the messages of the desk as the code has them', () => {
    expect(rowsOf(page.section('Messages of the desk'))).toEqual(rows(encodedDeskSamples));
  });

  it('gives a type for every field', () => {
    const typed = rowsOf(page.section('Fields')).flatMap(([names = '']) => names.split(', '));
    const all = [...encodedHostSamples, ...encodedDeskSamples];
    const used = all.flatMap(({ content }) => Object.keys(content));
    const objects = new Set(['quote', 'acceptance', 'replacement']);
    for (const name of used) if (!objects.has(name)) expect(typed).toContain(name);
  });

  it('gives every refusal with its code, and what to do', () => {
    const table = rowsOf(page.section('Refusals'));
    const codes = table.map(([code, word]) => [word, Number(code)]);
    expect(codes).toEqual(Object.entries(deskRefusalCodes));
    for (const [, , advice] of table) expect(advice).not.toBe('');
  });

  it('gives every standing with its code', () => {
    const words = Object.entries(paymentStandings).map(([word, code]) => `${code} ${word}`);
    const [, type] = rowsOf(page.section('Fields')).find(([name]) => name === 'standing') ?? [];
    expect(type).toBe(`word: ${words.join(', ')}`);
  });

  it('gives every request of the host, with a reply of the desk', () => {
    const table = rowsOf(page.section('Requests')).map((row) =>
      row.slice(0, 2).map((cell) => cell.replaceAll('`', '')),
    );
    const requests = encodedHostSamples.filter(({ content }) => 'requestId' in content);
    expect(table.map(([request]) => request).sort()).toEqual(
      requests.map(({ kind }) => kind).sort(),
    );
    const replies = encodedDeskSamples.filter(({ content }) => 'requestId' in content);
    const kinds = replies.map(({ kind }) => kind).filter((kind) => kind !== 'refused');
    expect(table.map(([, reply]) => reply).sort()).toEqual(kinds.sort());
  });

  it('gives the bounds as the code has them', () => {
    const count = (value: number): string => value.toLocaleString('en-US');
    for (const bound of [limits.deskMessageBytes, limits.apduBytes, limits.crlBytes]) {
      expect(page.text).toContain(count(bound));
    }
    expect(page.text).toContain(`list(0–${limits.routeStationsMost}) of \`80\` station`);
    expect(page.text).toContain(`list(1–${limits.orderLines}) of \`A0\``);
    expect(page.text).toContain(`list(0–${limits.loadCoins}) of \`E1\` coin`);
    expect(page.text).toContain(`text(${limits.messageBytes})`);
  });

  it('shows messages that the code reads as the page says', () => {
    const [hello, command, refused] = page.example('host hello, desk command, desk refused');
    if (!hello || !command || !refused) throw new Error('three messages');
    expect(hostMessage.decode(hello).kind).toBe('hello');
    expect(deskMessage.decode(command)).toMatchObject({
      kind: 'command',
      content: { exchange: 0n },
    });
    expect(deskMessage.decode(refused)).toEqual({
      kind: 'refused',
      content: { requestId: 7n, code: 'no-route', message: 'No route.' },
    });
    expect(toHex(hostMessage.encode(hostMessage.decode(hello)))).toBe(toHex(hello));
  });
});
