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
  makeRecords,
  outboxRecord,
  type LinkRecord,
  type RecordDraft,
} from '../../../daemon/link/link-record.ts';

const bytes = (least: number, most: number) =>
  fc.uint8Array({ minLength: least, maxLength: most }).map((drawn) => Uint8Array.from(drawn));
const plain = fc.oneof(
  fc.record({ message: bytes(1, 700) }),
  fc.record({ message: bytes(1, 700), secret: bytes(32, 32) }),
);

const carries = fc.constantFrom('word', 'payment');
const keyIds = fc.array(fc.uuid(), { minLength: 1, maxLength: 3 });
const cover = fc.record({
  padIds: keyIds,
  macIds: keyIds,
  ciphertext: bytes(1, 300),
  tag: bytes(16, 16),
});
const draft: fc.Arbitrary<RecordDraft> = fc.oneof(
  fc.record(
    { suite: fc.constant('aes'), carries, message: bytes(1, 700), secret: bytes(32, 32) },
    { requiredKeys: ['suite', 'carries', 'message'] },
  ),
  fc.record(
    {
      suite: fc.constant('otp-secret'),
      carries,
      message: bytes(1, 700),
      cover,
      kept: fc.record({ secret: bytes(32, 32) }),
    },
    { requiredKeys: ['suite', 'carries', 'message'] },
  ),
  fc.record({ suite: fc.constant('otp'), carries, cover, kept: plain }),
);

describe('what is written in one piece of memory', () => {
  it('is byte for byte what the codecs write: outbox records, decoded to what they were', () => {
    const written = ({ suite, carries: what, kept, ...content }: RecordDraft) => {
      const wire = linkRecord.encode({ kind: suite, content } as LinkRecord);
      const record = { suite, carries: what, wire, ...(kept !== undefined && { kept }) };
      return { ...record, stored: outboxRecord.encode(record) };
    };
    fc.assert(
      fc.property(fc.array(draft), (drafts) => {
        const made = makeRecords(drafts);
        expect(made).toEqual(drafts.map(written));
        for (const { stored, ...record } of made) expect(decodeStored(stored)).toEqual(record);
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
