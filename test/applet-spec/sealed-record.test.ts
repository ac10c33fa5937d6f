import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex, toHex, toUtf8 } from '../../applet-spec/bytes.ts';
import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import { RecordError } from '../../applet-spec/record-error.ts';
import { emptyReplayWindow, markSeen, type ReplayWindow } from '../../applet-spec/replay-window.ts';
import {
  readRecordHeader,
  RECORD_PLAINTEXT_BYTES_MOST,
  RECORD_SEQUENCE_MOST,
  RecordOpener,
  RecordSealer,
  type RecordKey,
  type RecordKind,
} from '../../applet-spec/sealed-record.ts';
import vectors from '../../applet-spec/vectors/sealed-records.json' with { type: 'json' };
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';

const key = new Uint8Array(32).fill(0x42);
const deskKey: RecordKey = { primitives: noblePrimitives, recordKey: key, kind: 'desk', epoch: 0n };
const peerKey: RecordKey = { primitives: noblePrimitives, recordKey: key, kind: 'peer', epoch: 3n };

function kindOf(text: string): RecordKind {
  if (text === 'desk' || text === 'peer') return text;
  throw new Error(text);
}

function refusal(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error instanceof RecordError ? error.code : error;
  }
  return 'nothing thrown';
}

function sealed(record: RecordKey, count: number): Uint8Array[] {
  const sealer = new RecordSealer(record);
  return Array.from({ length: count }, (_, i) => sealer.seal(toUtf8(`message ${i}`)));
}

function at<T>(list: readonly T[], index: number): T {
  const item = list[index];
  if (item === undefined) throw new Error(`no item ${index}`);
  return item;
}

describe('sealed records', () => {
  it.each(vectors.accepted)('$comment', (vector) => {
    const kind = kindOf(vector.kind);
    const [epoch, sequence] = [BigInt(vector.epoch), BigInt(vector.sequence)];
    const [plaintext, record] = [fromHex(vector.plaintext), fromHex(vector.record)];
    for (const primitives of [noblePrimitives, opensslPrimitives]) {
      const recordKey = { primitives, recordKey: fromHex(vector.key), kind, epoch };
      expect(toHex(new RecordSealer(recordKey, sequence).seal(plaintext))).toBe(vector.record);
      const opened = new RecordOpener(recordKey, 'window').open(record);
      expect(opened).toEqual({ kind, epoch, sequence, plaintext });
      expect(readRecordHeader(record)).toEqual({ kind, epoch, sequence });
    }
  });

  it.each(vectors.refused)('refused: $comment', (vector) => {
    for (const primitives of [noblePrimitives, opensslPrimitives]) {
      const recordKey = {
        primitives,
        recordKey: fromHex(vector.key),
        kind: kindOf(vector.kind),
        epoch: BigInt(vector.epoch),
      };
      for (const order of ['strict', 'window'] as const) {
        const opener = new RecordOpener(recordKey, order);
        expect(refusal(() => opener.open(fromHex(vector.record)))).toBe(vector.code);
        expect(opener.window).toEqual(emptyReplayWindow);
      }
    }
  });

  it('a changed byte anywhere opens nothing, and the true record still opens', () => {
    const record = new RecordSealer(peerKey).seal(toUtf8('hello'));
    const opener = new RecordOpener(peerKey, 'strict');
    for (let i = 0; i < record.length; i++) {
      const changed = record.map((byte, index) => (index === i ? byte ^ 0x01 : byte));
      expect(() => opener.open(changed)).toThrow(RecordError);
    }
    expect(opener.open(record).plaintext).toEqual(toUtf8('hello'));
  });

  it('no nonce is ever used twice under a key', () => {
    const nonces = sealed(deskKey, 300).map((record) => toHex(record.subarray(2, 14)));
    expect(new Set(nonces).size).toBe(300);
  });

  it('throws at the last sequence number, and stays there', () => {
    const sealer = new RecordSealer(deskKey, RECORD_SEQUENCE_MOST);
    expect(sealer.seal(key)).toHaveLength(14 + 32 + 16);
    expect(refusal(() => sealer.seal(key))).toBe('record-keys-exhausted');
    expect(refusal(() => sealer.seal(key))).toBe('record-keys-exhausted');
  });

  it('a sealing that fails uses its number up', () => {
    let broken = true;
    const failing = {
      ...opensslPrimitives,
      aesGcmSeal: (...input: Parameters<typeof opensslPrimitives.aesGcmSeal>): Uint8Array => {
        if (broken) throw new Error('no cipher');
        return opensslPrimitives.aesGcmSeal(...input);
      },
    };
    const sealer = new RecordSealer({ ...deskKey, primitives: failing });
    expect(() => sealer.seal(key)).toThrow('no cipher');
    broken = false;
    expect(readRecordHeader(sealer.seal(key)).sequence).toBe(1n);
  });

  it('bounds the plaintext on both sides', () => {
    const longest = new Uint8Array(RECORD_PLAINTEXT_BYTES_MOST);
    const sealer = new RecordSealer({ ...deskKey, primitives: opensslPrimitives });
    const tooLong = new Uint8Array(RECORD_PLAINTEXT_BYTES_MOST + 1);
    expect(refusal(() => sealer.seal(tooLong))).toBe('record-too-long');
    const record = sealer.seal(longest);
    const opener = new RecordOpener({ ...deskKey, primitives: opensslPrimitives }, 'strict');
    expect(refusal(() => opener.open(concatBytes(record, Uint8Array.of(0))))).toBe(
      'record-malformed',
    );
    expect(opener.open(record).plaintext).toHaveLength(longest.length);
  });

  it('keeps its own copy of the key', () => {
    const lent = key.slice();
    const sealer = new RecordSealer({ ...deskKey, recordKey: lent });
    const opener = new RecordOpener({ ...deskKey, recordKey: lent }, 'strict');
    lent.fill(0);
    expect(new RecordOpener(deskKey, 'strict').open(sealer.seal(key)).plaintext).toEqual(key);
    expect(opener.open(new RecordSealer(deskKey).seal(key)).plaintext).toEqual(key);
  });

  it('refuses keys and epochs of the wrong size', () => {
    expect(() => new RecordSealer({ ...deskKey, recordKey: new Uint8Array(16) })).toThrow(
      RangeError,
    );
    expect(() => new RecordSealer({ ...deskKey, epoch: 1n << 32n })).toThrow(RangeError);
    expect(() => new RecordOpener({ ...deskKey, epoch: -1n }, 'strict')).toThrow(RangeError);
  });
});

describe('strict order, host and desk', () => {
  it('opens 0, 1, 2 and nothing else', () => {
    const records = sealed(deskKey, 4);
    const opener = new RecordOpener(deskKey, 'strict');
    expect(refusal(() => opener.open(at(records, 1)))).toBe('record-out-of-order');
    expect(opener.open(at(records, 0)).sequence).toBe(0n);
    expect(refusal(() => opener.open(at(records, 0)))).toBe('record-replayed');
    expect(opener.open(at(records, 1)).sequence).toBe(1n);
    expect(refusal(() => opener.open(at(records, 3)))).toBe('record-out-of-order');
    expect(refusal(() => opener.open(at(records, 0)))).toBe('record-replayed');
    expect(opener.open(at(records, 2)).sequence).toBe(2n);
  });
});

describe('replay window, between peers', () => {
  it('opens each of 64 in any order once, and none that is older', () => {
    const records = sealed(peerKey, 66);
    const opener = new RecordOpener(peerKey, 'window');
    expect(opener.open(at(records, 65)).sequence).toBe(65n);
    expect(refusal(() => opener.open(at(records, 0)))).toBe('record-replayed');
    expect(refusal(() => opener.open(at(records, 1)))).toBe('record-replayed');
    for (const i of [2, 64, 30, 31, 3])
      expect(opener.open(at(records, i)).sequence).toBe(BigInt(i));
    for (const i of [2, 64, 30, 31, 3, 65]) {
      expect(refusal(() => opener.open(at(records, i)))).toBe('record-replayed');
    }
  });

  it('goes on where it was saved', () => {
    const records = sealed(peerKey, 5);
    const before = new RecordOpener(peerKey, 'window');
    before.open(at(records, 0));
    before.open(at(records, 2));
    const after = new RecordOpener(peerKey, 'window', before.window);
    expect(refusal(() => after.open(at(records, 0)))).toBe('record-replayed');
    expect(refusal(() => after.open(at(records, 2)))).toBe('record-replayed');
    expect(after.open(at(records, 1)).sequence).toBe(1n);
  });

  it('agrees with a set of all that was seen', () => {
    const sequences = fc.array(fc.nat(200), { maxLength: 200 });
    fc.assert(
      fc.property(sequences, (list) => {
        let window: ReplayWindow = emptyReplayWindow;
        const seen = new Set<number>();
        let highest = -1;
        for (const sequence of list) {
          const next = markSeen(window, BigInt(sequence));
          const fresh = !seen.has(sequence) && sequence > highest - 64;
          expect(next !== undefined).toBe(fresh);
          if (next === undefined) continue;
          window = next;
          seen.add(sequence);
          highest = Math.max(highest, sequence);
        }
      }),
    );
  });
});
