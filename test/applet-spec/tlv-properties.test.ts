import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex } from '../../applet-spec/bytes.ts';
import {
  decodeElement,
  element,
  encodeTlv,
  listOf,
  octets,
  oneOf,
  optional,
  readTlv,
  small,
  struct,
  text,
  uint,
} from '../../applet-spec/tlv.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import { objectKind, vectors, type ObjectKind } from './object-vectors.ts';

const inner = struct({ name: element(0x80, text(40)), amount: element(0x81, uint(8)) });
const everything = element(
  0xe0,
  struct({
    id: element(0x80, octets(4)),
    blob: optional(element(0x81, octets(0, 400))),
    count: element(0x82, small(70_000)),
    kind: optional(element(0x83, oneOf({ one: 1, two: 2, many: 255 }))),
    lines: element(0xa4, listOf(element(0xa0, inner), 0, 5)),
    last: optional(element(0x9f51, uint(1))),
  }),
);

const bytesOf = (minLength: number, maxLength: number) => fc.uint8Array({ minLength, maxLength });
const words = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 8 })
  .filter((value) => !/\p{Cc}/u.test(value) && new TextEncoder().encode(value).length <= 40);

const values = fc.record(
  {
    id: bytesOf(4, 4),
    blob: bytesOf(0, 400),
    count: fc.nat(70_000),
    kind: fc.constantFrom('one' as const, 'two' as const, 'many' as const),
    lines: fc.array(fc.record({ name: words, amount: fc.bigInt(0n, (1n << 64n) - 1n) }), {
      maxLength: 5,
    }),
    last: fc.bigInt(0n, 255n),
  },
  { requiredKeys: ['id', 'count', 'lines'] },
);

/** Every object of the vectors, and how to read it. */
const samples: readonly { readonly kind: ObjectKind; readonly bytes: Uint8Array }[] = [
  ...vectors.objects.map(({ kind, hex }) => ({ kind: objectKind(kind), bytes: fromHex(hex) })),
  ...vectors.payments.map(({ hex }) => ({ kind: objectKind('payment'), bytes: fromHex(hex) })),
];

/** Refused with TlvError, or one byte string for one value. */
function refusedOrCanonical(kind: ObjectKind, bytes: Uint8Array): 'refused' | 'accepted' {
  let again: Uint8Array;
  try {
    again = kind.again(bytes).whole;
  } catch (error) {
    if (error instanceof TlvError) return 'refused';
    throw error;
  }
  expect(toHex(again)).toBe(toHex(bytes));
  return 'accepted';
}

const byteMutation = fc.record({
  sample: fc.constantFrom(...samples),
  at: fc.nat(),
  what: fc.constantFrom('replace' as const, 'insert' as const, 'remove' as const),
  byte: fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x00, 0x7f, 0x80, 0x81, 0xff)),
});

function mutated(bytes: Uint8Array, at: number, what: string, byte: number): Uint8Array {
  const place = at % bytes.length;
  const [before, behind] = [bytes.subarray(0, place), bytes.subarray(place + 1)];
  if (what === 'remove') return concatBytes(before, behind);
  if (what === 'insert') return concatBytes(before, Uint8Array.of(byte), bytes.subarray(place));
  return concatBytes(before, Uint8Array.of(byte), behind);
}

/** An element and what is inside it: children where its tag says so. */
interface Node {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly children?: readonly Node[];
}

function parse(bytes: Uint8Array): Node[] {
  const nodes: Node[] = [];
  for (let offset = 0; offset < bytes.length;) {
    const { tag, content, end } = readTlv(bytes, offset);
    nodes.push({ tag, content, ...((tag & 0x20) !== 0 && { children: parse(content) }) });
    offset = end;
  }
  return nodes;
}

function write(nodes: readonly Node[]): Uint8Array {
  const parts = nodes.map(({ tag, content, children }) =>
    encodeTlv(tag, children === undefined ? content : write(children)),
  );
  return concatBytes(...parts);
}

function size(nodes: readonly Node[]): number {
  return nodes.reduce((sum, node) => sum + 1 + size(node.children ?? []), 0);
}

/**
 * Applies `change` to the node of that number, counted from the outside in; lengths are made anew.
 */
function changeNode(
  nodes: readonly Node[],
  number: number,
  change: (node: Node) => readonly Node[],
): readonly Node[] {
  let left = number;
  return nodes.flatMap((node) => {
    if (left === 0) {
      left--;
      return change(node);
    }
    left--;
    const below = size(node.children ?? []);
    const at = left;
    left -= below;
    if (at < 0 || at >= below) return [node];
    return [{ ...node, children: changeNode(node.children ?? [], at, change) }];
  });
}

const changes: Readonly<Record<string, (node: Node, content: Uint8Array) => readonly Node[]>> = {
  twice: (node) => [node, node],
  dropped: () => [],
  emptied: ({ tag }) => [{ tag, content: new Uint8Array(0) }],
  replaced: ({ tag }, content) => [{ tag, content }],
  retagged: (node, content) => [{ ...node, tag: (content[0] ?? 0) & 0xde }],
  longer: (node) => [{ tag: node.tag, content: concatBytes(Uint8Array.of(0), write([node])) }],
};

const shapeMutation = fc.record({
  sample: fc.constantFrom(...samples),
  number: fc.nat(),
  change: fc.constantFrom(...Object.values(changes)),
  content: bytesOf(0, 70),
});

describe('decode and encode', () => {
  it('are each other’s inverse for every value', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = everything.encode(value);
        const decoded = decodeElement(everything, bytes, 'value');
        expect(decoded).toEqual(value);
        expect(everything.encode(decoded)).toEqual(bytes);
      }),
      { numRuns: 500 },
    );
  });

  it('give the same bytes for all that is accepted, after a change of any byte', () => {
    const seen = { refused: 0, accepted: 0 };
    fc.assert(
      fc.property(byteMutation, ({ sample, at, what, byte }) => {
        seen[refusedOrCanonical(sample.kind, mutated(sample.bytes, at, what, byte))]++;
      }),
      { numRuns: 4_000 },
    );
    // The property says nothing unless both happen, and often.
    expect(seen.accepted).toBeGreaterThan(500);
    expect(seen.refused).toBeGreaterThan(500);
  });

  it('give the same bytes after a change of form with right lengths', () => {
    const seen = { refused: 0, accepted: 0 };
    fc.assert(
      fc.property(shapeMutation, ({ sample, number, change, content }) => {
        const nodes = parse(sample.bytes);
        const changed = changeNode(nodes, number % size(nodes), (node) => change(node, content));
        seen[refusedOrCanonical(sample.kind, write(changed))]++;
      }),
      { numRuns: 3_000 },
    );
    expect(seen.accepted).toBeGreaterThan(20);
    expect(seen.refused).toBeGreaterThan(1_000);
  });

  it('refuse noise with TlvError and nothing else', () => {
    const kinds = new Set(samples.map(({ kind }) => kind));
    fc.assert(
      fc.property(bytesOf(0, 300), fc.constantFrom(...kinds), (noise, kind) => {
        expect(refusedOrCanonical(kind, noise)).toBe('refused');
      }),
      { numRuns: 1_000 },
    );
  });

  it('refuse every cut of every object', () => {
    for (const { kind, bytes } of samples) {
      for (let length = 0; length < bytes.length; length++) {
        expect(refusedOrCanonical(kind, bytes.subarray(0, length))).toBe('refused');
      }
    }
  });
});
