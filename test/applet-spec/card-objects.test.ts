/** The data fields of card commands, by vectors of another maker; and the page that lists them. */
import { describe, expect, it } from 'vitest';
import { attestAnswer } from '../../applet-spec/attestation.ts';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import * as objects from '../../applet-spec/card-objects.ts';
import { decodeElement, readTlv, type Element } from '../../applet-spec/tlv.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import attestations from '../../applet-spec/vectors/attestation.json' with { type: 'json' };
import vectors from '../../applet-spec/vectors/card-objects.json' with { type: 'json' };
import { valueOf } from './object-vectors.ts';
import { readPage, rowsOf } from './specification-tables.ts';

/** What a test does with an object, whatever its kind. */
interface Kind {
  readonly tag: number;
  decode(bytes: Uint8Array): unknown;
  /** Encodes anew from the values alone. */
  again(bytes: Uint8Array): Uint8Array;
}

function kindOf<T>(of: Element<T>, name: string): Kind {
  const decode = (bytes: Uint8Array): T => decodeElement(of, bytes, name);
  return { tag: of.tag, decode, again: (bytes) => of.encode(decode(bytes)) };
}

const kinds: Readonly<Record<string, Kind>> = {
  applicationInfo: kindOf(objects.applicationInfo, 'application information'),
  profile: kindOf(objects.profile, 'profile'),
  owner: kindOf(objects.owner, 'owner'),
  generatedKey: kindOf(objects.generatedKey, 'generated key'),
  authorisation: kindOf(objects.authorisation, 'authorisation'),
  retirement: kindOf(objects.retirement, 'retirement'),
  coinLoad: kindOf(objects.coinLoad, 'coins'),
  payAnswer: kindOf(objects.payAnswer, 'answer of PAY'),
  offer: kindOf(objects.offer, 'offer'),
  offerAnswer: kindOf(objects.offerAnswer, 'answer of OFFER'),
  peerKeyPage: kindOf(objects.peerKeyPage, 'page of slots'),
  coinPage: kindOf(objects.coinPage, 'page of coins'),
  journalQuery: kindOf(objects.journalQuery, 'query'),
  journalAnswer: kindOf(objects.journalAnswer, 'answer of QUERY JOURNAL'),
  trafficRequest: kindOf(objects.trafficRequest, 'traffic request'),
  trafficAnswer: kindOf(objects.trafficAnswer, 'traffic key'),
  hostLinkAnswer: kindOf(objects.hostLinkAnswer, 'host-link keys'),
  coinErasure: kindOf(objects.coinErasure, 'erasure'),
  signatureCheck: kindOf(objects.signatureCheck, 'signature check'),
};

function kindNamed(name: string): Kind {
  const kind = kinds[name];
  if (kind === undefined) throw new Error(`no kind ${name}`);
  return kind;
}

describe('the data fields of card commands', () => {
  it.each(vectors.objects)('$kind: $comment', ({ kind, hex, value }) => {
    const bytes = fromHex(hex);
    expect(kindNamed(kind).decode(bytes)).toEqual(valueOf(value));
    expect(toHex(kindNamed(kind).again(bytes))).toBe(hex);
  });

  it.each(vectors.refused)('refuses $comment', ({ kind, hex, refusal }) => {
    expect(codeOf(() => kindNamed(kind).decode(fromHex(hex)))).toBe(refusal);
  });

  it('have a vector each', () => {
    expect(new Set(vectors.objects.map(({ kind }) => kind))).toEqual(new Set(Object.keys(kinds)));
  });
});

describe('the table of objects in card.md', () => {
  const rows = new Map(
    rowsOf(readPage('card.md').section('Objects')).map(([, tag = '', layout = '']) => [
      tag,
      layout.replaceAll('{ as in a page of coins }', '{ 80 to 83 }'),
    ]),
  );

  it.each(Object.entries(kinds))('lays %s out as the vectors are', (name, { tag }) => {
    const made = vectors.objects.filter(({ kind }) => kind === name);
    const found = new Set(made.flatMap(({ hex }) => pathsIn(readTlv(fromHex(hex), 0).content)));
    expect(new Set(pathsOf(rows.get(hexTag(tag)) ?? ''))).toEqual(found);
  });

  it('lays the answer of ATTEST out', () => {
    const [first] = attestations.accepted;
    const { content } = readTlv(fromHex(first?.answer ?? ''), 0);
    expect(pathsOf(rows.get(hexTag(attestAnswer.tag)) ?? '')).toEqual(pathsIn(content));
  });

  it('has no other object', () => {
    const tags = [...Object.values(kinds).map(({ tag }) => tag), attestAnswer.tag];
    expect([...rows.keys()].sort()).toEqual(tags.map(hexTag).sort());
  });
});

function hexTag(tag: number): string {
  return toHex(Uint8Array.of(tag)).toUpperCase();
}

/** Of context tags only: what is inside another object is laid out elsewhere. */
function pathsIn(content: Uint8Array, above = ''): string[] {
  const paths: string[] = [];
  for (let at = 0; at < content.length;) {
    const tlv = readTlv(content, at);
    const path = `${above}/${hexTag(tlv.tag)}`;
    const isOurs = (tlv.tag & 0xe0) === 0xa0 && (tlv.content[0] ?? 0x80) < 0xc0;
    paths.push(path, ...(isOurs ? pathsIn(tlv.content, path) : []));
    at = tlv.end;
  }
  return paths;
}

/** As the page writes them: `A1 × A0 { 80 …, [81 …] }`; `80 to 84` are five. */
function pathsOf(layout: string): string[] {
  const paths: string[] = [];
  const above: string[] = [];
  const tokens =
    layout
      .replaceAll(/\b([89A-F][0-9A-F]) to ([89A-F][0-9A-F])\b/g, (_, from: string, to: string) =>
        rangeOf(from, to).join(' , '),
      )
      .match(/(?<!\w)[89A-E][0-9A-F](?= )|×|\{|\}/g) ?? [];
  tokens.forEach((token, i) => {
    const last = paths.at(-1) ?? '';
    if (token === '{') above.push(last);
    else if (token === '}') above.pop();
    else if (token !== '×') {
      const parent = tokens[i - 1] === '×' ? last : (above.at(-1) ?? '');
      paths.push(`${parent}/${token}`);
    }
  });
  return paths;
}

function rangeOf(from: string, to: string): string[] {
  const [first, last] = [Number.parseInt(from, 16), Number.parseInt(to, 16)];
  return Array.from({ length: last - first + 1 }, (_, i) => hexTag(first + i));
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof TlvError) return error.code;
    throw error;
  }
  return 'nothing thrown';
}
