import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes } from '../../../applet-spec/bytes.ts';
import { decodeFrame, frameItem, rowPieces } from '../../../daemon/link/frame-item.ts';
import {
  aesPieces,
  decodeStored,
  encodeStored,
  linkRecord,
  outboxRecord,
} from '../../../daemon/link/link-record.ts';

const bytes = (least: number, most: number) =>
  fc.uint8Array({ minLength: least, maxLength: most }).map((drawn) => Uint8Array.from(drawn));
const plain = fc.oneof(
  fc.record({ message: bytes(1, 700) }),
  fc.record({ message: bytes(1, 700), secret: bytes(32, 32) }),
);

describe('what is joined from pieces', () => {
  it('is byte for byte what the codecs write: link records', () => {
    fc.assert(
      fc.property(plain, (content) => {
        const joined = concatBytes(...aesPieces(content));
        expect(joined).toEqual(linkRecord.encode({ kind: 'aes', content }));
      }),
    );
  });

  it('outbox records, which decode to what they were', () => {
    const suite = fc.constantFrom('aes', 'otp-secret', 'otp');
    const carries = fc.constantFrom('word', 'payment');
    const cases = fc.tuple(suite, carries, bytes(1, 700), fc.option(plain, { nil: undefined }));
    fc.assert(
      fc.property(cases, ([ofSuite, what, wire, kept]) => {
        const head = {
          suite: ofSuite,
          carries: what,
          ...(kept !== undefined && { kept }),
        } as const;
        const stored = encodeStored({ ...head, wire: [wire.subarray(0, 1), wire.subarray(1)] });
        expect(stored).toEqual(outboxRecord.encode({ ...head, wire }));
        expect(decodeStored(stored)).toEqual({ ...head, wire: [wire] });
      }),
    );
  });

  it('rows of a frame', () => {
    const rowId = fc.bigInt({ min: 0n, max: 2n ** 63n - 1n });
    fc.assert(
      fc.property(rowId, bytes(1, 70_000), (row, record) => {
        const cut = record.subarray(0, 65_536);
        const joined = concatBytes(...rowPieces(row, [cut]));
        const item = { kind: 'row', content: { rowId: row, record: cut } } as const;
        expect(joined).toEqual(frameItem.encode(item));
        expect(decodeFrame(joined)).toEqual([item]);
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
