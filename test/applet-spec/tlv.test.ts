import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import { concatBytes, equalBytes, fromHex, toHex } from '../../applet-spec/bytes.ts';
import {
  checked,
  choice,
  decodeElement,
  element,
  encodeTlv,
  listOf,
  nothing,
  octets,
  oneOf,
  oneOfGrowing,
  optional,
  small,
  struct,
  text,
  uint,
  type Value,
} from '../../applet-spec/tlv.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import vectors from '../../applet-spec/vectors/tlv.json' with { type: 'json' };

const words = { aes: 1, otp: 3 } as const;
const fields = {
  first: element(0x80, uint(8)),
  middle: optional(element(0x81, text(16))),
  last: element(0x82, uint(8)),
} as const;
const record = element(0xa0, struct(fields));
const list = element(0xa0, listOf(element(0x81, uint(8)), 1, 3));
const word = element(0x80, oneOf(words));
const bytes = element(0x80, octets(2, 300));
const sentence = element(0x80, text(16));

interface Shape {
  /** Encodes a vector's value. */
  readonly encode: (value: unknown) => Uint8Array;
  /** Decodes, and encodes what came out. */
  readonly again: (bytes: Uint8Array) => Uint8Array;
}

function shape<T>(
  of: { encode(value: T): Uint8Array; decode(bytes: Uint8Array): T },
  read: (value: unknown) => T,
): Shape {
  return {
    encode: (value) => of.encode(read(value)),
    again: (input) => of.encode(of.decode(input)),
  };
}

function alone<T>(of: ReturnType<typeof element<T>>) {
  return {
    encode: (value: T) => of.encode(value),
    decode: (input: Uint8Array) => decodeElement(of, input, 'value'),
  };
}

const shapes: Readonly<Record<string, Shape>> = {
  uint: shape(alone(element(0x80, uint(8))), (value) => BigInt(String(value))),
  small: shape(alone(element(0x80, small(200, 3))), Number),
  text: shape(alone(sentence), String),
  octets: shape(alone(bytes), (value) => fromHex(String(value))),
  word: shape(alone(word), wordOf),
  empty: shape(alone(element(0x80, nothing)), () => ({})),
  list: shape(alone(list), (value) =>
    Array.isArray(value) ? value.map((each) => BigInt(String(each))) : [],
  ),
  record: shape(alone(record), recordOf),
};

function wordOf(value: unknown): keyof typeof words {
  if (value === 'aes' || value === 'otp') return value;
  throw new Error(`no word: ${String(value)}`);
}

function recordOf(value: unknown) {
  if (typeof value !== 'object' || value === null) throw new Error('no record');
  const given = new Map(Object.entries(value));
  const middle: unknown = given.get('middle');
  return {
    first: BigInt(String(given.get('first'))),
    ...(typeof middle === 'string' && { middle }),
    last: BigInt(String(given.get('last'))),
  };
}

function shapeNamed(name: string): Shape {
  const found = shapes[name];
  if (found === undefined) throw new Error(`no shape ${name}`);
  return found;
}

/** The code and path of the TlvError that `run` throws. */
function refusalOf(run: () => unknown): { readonly code: string; readonly path: string } {
  try {
    run();
  } catch (error) {
    if (error instanceof TlvError) return { code: error.code, path: error.path };
    throw error;
  }
  return { code: 'nothing thrown', path: '' };
}

describe('the encoding, against another maker', () => {
  it.each(vectors.accepted)('writes and reads $comment', (vector) => {
    const { encode, again } = shapeNamed(vector.shape);
    expect(toHex(encode(vector.value))).toBe(vector.hex);
    expect(toHex(again(fromHex(vector.hex)))).toBe(vector.hex);
  });

  it.each(vectors.refused)('refuses $comment', (vector) => {
    const { again } = shapeNamed(vector.shape);
    expect(refusalOf(() => again(fromHex(vector.hex)))).toEqual({
      code: vector.refusal,
      path: vector.path,
    });
  });
});

describe('an encoder', () => {
  const refused: readonly (readonly [string, () => unknown, string])[] = [
    ['a number below zero', () => uint(8).encode(-1n), 'out-of-bounds'],
    ['a number too large', () => uint(1).encode(256n), 'out-of-bounds'],
    ['a fraction', () => small(9).encode(1.5), 'out-of-bounds'],
    ['no number', () => small(9).encode(Number.NaN), 'out-of-bounds'],
    ['a number below the least', () => small(9, 2).encode(1), 'out-of-bounds'],
    ['bytes too few', () => octets(2).encode(new Uint8Array(1)), 'out-of-bounds'],
    ['an empty text', () => text(4).encode(''), 'out-of-bounds'],
    ['a text longer in bytes than in letters', () => text(4).encode('üüü'), 'out-of-bounds'],
    ['a control character', () => text(4).encode('a\n'), 'bad-value'],
    ['a lone surrogate', () => text(4).encode('\ud83d'), 'bad-value'],
    ['too few items', () => list.encode([]), 'out-of-bounds'],
    ['too many items', () => list.encode([1n, 2n, 3n, 4n]), 'out-of-bounds'],
    ['a word from outside the table', () => oneOf(tableOf(words)).encode('rot13'), 'bad-value'],
    ['a word that only Object knows', () => oneOf(tableOf(words)).encode('toString'), 'bad-value'],
  ];

  it.each(refused)('refuses %s', (_what, run, code) => {
    expect(refusalOf(run).code).toBe(code);
  });

  it('refuses a field that is missing, and names it', () => {
    const loose = struct(looseFields());
    expect(refusalOf(() => loose.encode({}))).toEqual({ code: 'bad-value', path: 'first' });
  });

  it('writes what is far larger than anything before it', () => {
    const blob = element(0x80, octets(0, 300_000));
    const blobs = element(0xa0, listOf(blob, 1, 3));
    const content = Uint8Array.from({ length: 200_000 }, (_, i) => i);
    const joined = concatBytes(...[0, 1, 2].map(() => encodeTlv(0x80, content)));
    const whole = blobs.encode([content, content, content]);
    expect(equalBytes(whole, encodeTlv(0xa0, joined))).toBe(true);
    expect(toHex(record.encode({ first: 1n, last: 2n }))).toBe('a006800101820102');
  });

  it('writes a part that makes encodings of its own', () => {
    const inner: Value<bigint> = {
      encode: (value) => record.encode({ first: value, last: value }),
      decode: (content) => decodeElement(record, content, 'inner').first,
    };
    const outer = element(
      0xa0,
      struct({ before: element(0x80, uint(8)), inside: element(0xa1, inner) }),
    );
    expect(toHex(outer.encode({ before: 5n, inside: 9n }))).toBe('a00d800105a108a006800109820109');
  });

  it('leaves nothing of what it refused half-way in what it writes next', () => {
    expect(() => record.encode({ first: 1n, last: -1n })).toThrow(TlvError);
    expect(toHex(record.encode({ first: 3n, last: 4n }))).toBe('a006800103820104');
  });

  it('names the place of a fault as a path', () => {
    const quote = element(0xa0, struct({ bill: element(0xa1, listOf(record, 1, 4)) }));
    const line = { first: 1n, last: 2n };
    const bad = { bill: [line, line, line, { first: 1n, last: 1n << 64n }] };
    expect(refusalOf(() => quote.encode(bad))).toEqual({
      code: 'out-of-bounds',
      path: 'bill[3].last',
    });
  });
});

describe('a decoder', () => {
  it('says what was wrong in one line', () => {
    const wide = encodeTlv(0xa0, encodeTlv(0x80, new Uint8Array(9).fill(1)));
    expect(() => decodeElement(record, wide, 'quote')).toThrow(
      new TlvError('out-of-bounds', 'quote.first', '9 bytes where 1 to 8 are allowed'),
    );
    expect(() => decodeElement(record, wide, 'quote')).toThrow(
      'quote.first: 9 bytes where 1 to 8 are allowed',
    );
  });

  it('gives bytes of its own, also from a Buffer, whose slices are views', () => {
    const whole = Buffer.from(bytes.encode(Uint8Array.of(1, 2, 3)));
    const decoded = decodeElement(bytes, whole, 'value');
    whole.fill(0);
    expect(decoded).toEqual(Uint8Array.of(1, 2, 3));
    expect(decoded.constructor).toBe(Uint8Array);
  });

  it('leaves an absent field away', () => {
    const decoded = decodeElement(record, record.encode({ first: 1n, last: 2n }), 'record');
    expect(Object.keys(decoded)).toEqual(['first', 'last']);
  });

  it('keeps a rule of its own in both directions', () => {
    const even = checked(uint(1), (value) => (value % 2n === 0n ? undefined : `${value} is odd`));
    expect(even.decode(even.encode(4n))).toBe(4n);
    expect(refusalOf(() => even.encode(3n)).code).toBe('bad-value');
    expect(refusalOf(() => even.decode(Uint8Array.of(3))).code).toBe('bad-value');
  });
});

describe('a choice', () => {
  const message = choice({ text: element(0x61, text(9)), bye: element(0x62, nothing) });

  it('is told apart by its tag', () => {
    const hello = message.encode({ kind: 'text', content: 'hello' });
    expect(toHex(hello)).toBe('610568656c6c6f');
    expect(message.decode(hello)).toEqual({ kind: 'text', content: 'hello' });
    expect(message.decode(fromHex('6200'))).toEqual({ kind: 'bye', content: {} });
  });

  it('refuses tags of nobody, and bytes behind', () => {
    expect(refusalOf(() => message.decode(fromHex('6300')))).toEqual({
      code: 'unexpected-tag',
      path: '',
    });
    expect(refusalOf(() => message.decode(fromHex('620000')))).toEqual({
      code: 'trailing-bytes',
      path: 'bye',
    });
    expect(refusalOf(() => message.decode(fromHex('6101ff')))).toEqual({
      code: 'bad-value',
      path: 'text',
    });
  });
});

describe('a word of a list that grows', () => {
  const growing = oneOfGrowing({ one: 1, two: 2 });

  it.each([
    ['01', 'one'],
    ['03', 'code-3'],
    ['ff', 'code-255'],
  ] as const)('%s is %s, both ways', (hex, word) => {
    expect(growing.decode(fromHex(hex))).toBe(word);
    expect(toHex(growing.encode(word))).toBe(hex);
  });

  it('has neither a code of none, nor a second word for one that it knows', () => {
    expect(refusalOf(() => growing.decode(fromHex('00'))).code).toBe('bad-value');
    for (const word of ['code-0', 'code-2', 'code-256', 'code-03'] as const) {
      expect(refusalOf(() => growing.encode(word)).code).toBe('bad-value');
    }
  });
});

describe('a statement of an object', () => {
  it('has no tag twice, nor a code', () => {
    const twin = element(0x80, nothing);
    expect(() => struct({ one: twin, two: twin })).toThrow(RangeError);
    expect(() => choice({ one: twin, two: twin })).toThrow(RangeError);
    expect(() => oneOf({ one: 1, two: 1 })).toThrow(RangeError);
  });
});

/** The same tables, as code sees them that was not compiled against them. */
function tableOf(codes: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return codes;
}

function looseFields(): Readonly<Record<string, ReturnType<typeof element<bigint>>>> {
  return { first: fields.first };
}
