import { describe, expect, it } from 'vitest';
import { fromHex, toHex, toUtf8 } from '../../applet-spec/bytes.ts';
import { coin } from '../../applet-spec/coin.ts';
import { labels } from '../../applet-spec/labels.ts';
import { limits } from '../../applet-spec/limits.ts';
import { suiteCodes } from '../../applet-spec/names.ts';
import { payment, transaction } from '../../applet-spec/payment.ts';
import { acceptance, billLine, quote } from '../../applet-spec/quote.ts';
import {
  acknowledgement,
  admission,
  reasonCodes,
  receipt,
  refusal,
} from '../../applet-spec/receipt.ts';
import { element, readTlv } from '../../applet-spec/tlv.ts';
import tlvVectors from '../../applet-spec/vectors/tlv.json' with { type: 'json' };
import { vectors } from './object-vectors.ts';
import { readPage, rowsOf } from './specification-tables.ts';

const objects = readPage('objects.md');
const encoding = readPage('encoding.md');

function hexOf(comment: string): string {
  const vector = [...vectors.objects, ...vectors.payments].find((one) => one.comment === comment);
  if (vector === undefined) throw new Error(`no vector: ${comment}`);
  return vector.hex;
}

/** Tags of the elements inside one element, as the tables write them. */
function tagsIn(bytes: Uint8Array): string[] {
  const { content } = readTlv(bytes, 0);
  const tags: string[] = [];
  for (let offset = 0; offset < content.length;) {
    const { tag, end } = readTlv(content, offset);
    tags.push(toHex(Uint8Array.of(tag)).toUpperCase());
    offset = end;
  }
  return tags;
}

/** "82 network" for each field of an object, as its codec has them. */
function fieldsOf(bytes: Uint8Array, names: object): string[] {
  const tags = tagsIn(bytes);
  return Object.keys(names).map((name, i) => `${tags[i] ?? '?'} ${name}`);
}

/** "82 network" for each row of a section's first table. */
function tableOf(heading: string): string[] {
  return rowsOf(objects.section(heading)).map(([tag = '', name = '']) => `${tag} ${name}`);
}

const plainly = (rows: readonly string[]): string[] => rows.map((row) => row.replace(/[()]/g, ''));

const signed = [
  { kind: coin, heading: 'Coin (E1)', comment: 'a coin of 655.36 EUR' },
  { kind: acceptance, heading: 'Acceptance (E2)', comment: 'an acceptance by q3' },
  {
    kind: quote,
    heading: 'Quote (E3)',
    comment: 'a quote over three stations, one of them free',
  },
  { kind: admission, heading: 'Admission (E6)', comment: 'the third' },
  {
    kind: acknowledgement,
    heading: 'Acknowledgement (E7)',
    comment: "an acknowledgement by bob's card",
  },
  { kind: refusal, heading: 'Refusal (EA)', comment: 'a refusal by q1' },
];

describe('objects.md', () => {
  it.each(signed)('gives the fields of "$heading" as the code has them', (object) => {
    const decoded = object.kind.decode(fromHex(hexOf(object.comment)));
    expect(tableOf(object.heading)).toEqual(fieldsOf(decoded.bodyBytes, decoded.body));
    expect(object.heading).toContain(`(${object.kind.tag.toString(16).toUpperCase()})`);
  });

  it('gives the fields of a receipt, each verdict with its own', () => {
    const rows = tableOf('Receipt (E8)');
    const without = (name: string) => plainly(rows.filter((row) => !row.includes(name)));
    const delivered = receipt.decode(fromHex(hexOf('a receipt: delivered')));
    expect(without('reason')).toEqual(fieldsOf(delivered.bodyBytes, delivered.body));
    const undelivered = receipt.decode(fromHex(hexOf('a receipt: undelivered')));
    expect(without('acknowledgement')).toEqual(fieldsOf(undelivered.bodyBytes, undelivered.body));
    expect(rows.filter((row) => row.includes('('))).toEqual([
      '86 (reason)',
      '87 (acknowledgement)',
    ]);
  });

  it('gives the fields of bill line, transaction and payment', () => {
    const bytes = fromHex(hexOf('a payment, as it travels'));
    const found = payment.decode(bytes);
    const [line] = found.quote.bill;
    if (line === undefined) throw new Error('a bill has lines');
    const lineBytes = element(0xa0, billLine).encode(line);
    expect(tableOf('Bill line (A0)')).toEqual(fieldsOf(lineBytes, line));
    const transactionBytes = transaction.encode(found.transaction);
    expect(tableOf('Transaction (E4)')).toEqual(fieldsOf(transactionBytes, found.transaction));
    const rows = tableOf('Payment (E5)');
    expect(rows.map((row) => row.slice(0, 2))).toEqual(tagsIn(bytes));
    const kept = fromHex(hexOf('the same, as it is kept'));
    const required = rows.filter((row) => !row.includes('('));
    expect(required.map((row) => row.slice(0, 2))).toEqual(tagsIn(kept));
    for (const row of plainly(rows)) expect(Object.keys(found)).toContain(row.slice(3));
  });

  it('gives every reason and every suite with its code', () => {
    const words = (heading: string) =>
      rowsOf(objects.section(heading)).map(([code, word]) => [word, Number(code)]);
    const reasons = words('Reasons for a refusal or an undelivered key');
    expect(reasons).toEqual(Object.entries(reasonCodes));
    expect(words('Suites')).toEqual(Object.entries(suiteCodes));
  });

  it('names no reason that there is not', () => {
    const named = rowsOf(objects.section('What each station checks')).map(([reason]) => reason);
    for (const reason of named) {
      expect(Object.keys(reasonCodes)).toContain(reason?.replaceAll('`', ''));
    }
  });
});

describe('encoding.md', () => {
  it('gives every label, and for no other', () => {
    const rows = rowsOf(encoding.section('Labels')).map(([label]) => label?.replaceAll('`', ''));
    const bytes = rows.map((row) => toHex(toUtf8(`${row ?? ''}\0`)));
    expect(bytes).toEqual(Object.values(labels).map(toHex));
    expect(encoding.text).toContain(`\`${toHex(labels.coin)}\``);
  });

  it('gives every bound', () => {
    const rows = rowsOf(encoding.section('Bounds'));
    const table = rows.map(([name, value]) => [name, Number(value?.replaceAll(',', ''))]);
    expect(table).toEqual(Object.entries(limits));
  });

  it('gives every code that the vectors are refused with', () => {
    const rows = rowsOf(encoding.section('Refusals')).map(([code]) => code?.replaceAll('`', ''));
    const used = [...vectors.refused, ...tlvVectors.refused].map((vector) => vector.refusal);
    expect([...rows].sort()).toEqual([...new Set(used)].sort());
  });

  it('gives head and proof as the code has them', () => {
    const rows = (heading: string) =>
      rowsOf(encoding.section(heading)).map(([tag = '', name = '']) => `${tag} ${name}`);
    const aCoin = fromHex(hexOf('a coin of 655.36 EUR'));
    expect(rows('Signed objects').map((row) => row.slice(0, 2))).toEqual(tagsIn(aCoin));
    const bytes = fromHex(hexOf('the second, of our payment'));
    const { proof, bodyBytes } = admission.decode(bytes);
    const { content } = readTlv(bytes, 0);
    const proofFields = fieldsOf(content.subarray(bodyBytes.length), proof);
    expect(rows('Statements')).toEqual(['A0 body', 'A1 proof', ...proofFields]);
  });
});

describe.each([
  { name: 'encoding.md', page: encoding, comment: 'a coin of 655.36 EUR' },
  { name: 'objects.md', page: objects, comment: 'the second, of our payment' },
])('the example of $name', ({ page, comment }) => {
  it('is the vector, byte for byte, and as long as the page says', () => {
    const [shown] = page.example(comment);
    expect(shown && toHex(shown)).toBe(hexOf(comment));
    expect(page.text).toContain(`${shown?.length ?? 0} bytes`);
  });
});
