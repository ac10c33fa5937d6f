import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../../applet-spec/bytes.ts';
import {
  decodeFrame,
  frameItem,
  putRowItem,
  rowItemBytes,
} from '../../../daemon/link/frame-item.ts';
import {
  decodeStored,
  linkRecord,
  makeAesRecords,
  makeRecords,
  outboxRecord,
} from '../../../daemon/link/link-record.ts';

const bytes = (least: number, most: number) =>
  fc.uint8Array({ minLength: least, maxLength: most }).map((drawn) => Uint8Array.from(drawn));
const plain = fc.oneof(
  fc.record({ message: bytes(1, 700) }),
  fc.record({ message: bytes(1, 700), secret: bytes(32, 32) }),
);

describe('what is written in one piece of memory', () => {
  it('is byte for byte what the codecs write: outbox records of aes', () => {
    fc.assert(
      fc.property(fc.array(plain), (contents) => {
        for (const [i, { stored, ...made }] of makeAesRecords(contents).entries()) {
          const content = contents[i] ?? { message: new Uint8Array(1) };
          const carries = 'secret' in content ? 'payment' : 'word';
          const wire = linkRecord.encode({ kind: 'aes', content });
          expect(made).toEqual({ suite: 'aes', carries, wire });
          expect(stored).toEqual(outboxRecord.encode({ suite: 'aes', carries, wire }));
        }
      }),
    );
  });

  it('outbox records of others, which decode to what they were', () => {
    const record = fc.record(
      {
        suite: fc.constantFrom('aes', 'otp-secret', 'otp'),
        carries: fc.constantFrom('word', 'payment'),
        wire: bytes(1, 700),
        kept: plain,
      },
      { requiredKeys: ['suite', 'carries', 'wire'] },
    );
    fc.assert(
      fc.property(fc.array(record), (records) => {
        const stored = makeRecords(records).map((made) => made.stored);
        expect(stored).toEqual(records.map((one) => outboxRecord.encode(one)));
        expect(stored.map(decodeStored)).toEqual(records);
      }),
    );
  });

  it('rows of a frame', () => {
    const rowId = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
    fc.assert(
      fc.property(rowId, bytes(1, 70_000), (row, drawn) => {
        const record = drawn.subarray(0, 65_536);
        const frame = new Uint8Array(rowItemBytes(record.length) + 3);
        expect(putRowItem(frame, 3, row, record)).toBe(frame.length);
        const item = { kind: 'row', content: { rowId: row, record } } as const;
        expect(frame.subarray(3)).toEqual(frameItem.encode(item));
        expect(decodeFrame(frame.subarray(3))).toEqual([item]);
      }),
    );
  });
});

describe('a frame that nobody writes', () => {
  const one = frameItem.encode({ kind: 'rekeyed', content: { epoch: 2 } });
  it.each([
    ['of no item', new Uint8Array(0)],
    ['of too many items', concatBytes(...Array.from({ length: 65 }, () => one))],
    ['with a byte behind its items', concatBytes(one, Uint8Array.of(0))],
    ['of an unknown item', Uint8Array.of(0x7e, 0)],
  ])('is refused: %s', (_, plaintext) => {
    expect(() => decodeFrame(plaintext)).toThrow(
      expect.objectContaining({ code: 'frame-malformed' }),
    );
  });
});
