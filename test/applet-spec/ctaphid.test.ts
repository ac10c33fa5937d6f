import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CTAPHID_PAYLOAD_MOST,
  decodeCtaphidPacket,
  encodeCtaphid,
  joinCtaphid,
} from '../../applet-spec/ctaphid.ts';
import type { CtaphidMessage, CtaphidPartial } from '../../applet-spec/ctaphid.ts';

function join(reports: readonly Uint8Array[]): CtaphidMessage | undefined {
  let partial: CtaphidPartial | undefined;
  for (const report of reports) {
    const step = joinCtaphid(partial, decodeCtaphidPacket(report));
    if (step.kind === 'message') return step.message;
    partial = step.partial;
  }
  return undefined;
}

describe('CTAPHID framing', () => {
  it('writes INIT as CTAP 2.1 §11.2.9.1.3 shows it', () => {
    const payload = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const [report, ...others] = encodeCtaphid({ channel: 0xffff_ffff, command: 0x06, payload });
    const expected = new Uint8Array(64);
    expected.set([0xff, 0xff, 0xff, 0xff, 0x86, 0x00, 0x08, ...payload]);
    expect(report).toEqual(expected);
    expect(others).toEqual([]);
  });

  it.each([
    [0, 1],
    [57, 1],
    [58, 2],
    [57 + 59, 2],
    [57 + 59 + 1, 3],
    [CTAPHID_PAYLOAD_MOST, 129],
  ])('carries %i bytes in %i reports', (length, count) => {
    const payload = Uint8Array.from({ length }, (_, i) => i & 0xff);
    const reports = encodeCtaphid({ channel: 7, command: 0x40, payload });
    expect(reports).toHaveLength(count);
    expect(reports.slice(1).map((report) => report[4])).toEqual(
      Array.from({ length: count - 1 }, (_, i) => i),
    );
    expect(join(reports)).toEqual({ channel: 7, command: 0x40, payload });
  });

  it('has no message of more than 7,609 bytes', () => {
    const payload = new Uint8Array(CTAPHID_PAYLOAD_MOST + 1);
    expect(() => encodeCtaphid({ channel: 7, command: 0x40, payload })).toThrow(RangeError);
    const report = new Uint8Array(64);
    report.set([0, 0, 0, 7, 0xc0, 0x1d, 0xba]);
    expect(() => joinCtaphid(undefined, decodeCtaphidPacket(report))).toThrow(/7610 bytes/);
  });

  it('brings every message back whole', () => {
    fc.assert(
      fc.property(
        fc.nat(0xffff_ffff),
        fc.integer({ min: 1, max: 0x7f }),
        fc.uint8Array({ maxLength: 600 }),
        (channel, command, payload) => {
          expect(join(encodeCtaphid({ channel, command, payload }))).toEqual({
            channel,
            command,
            payload,
          });
        },
      ),
    );
  });

  it('refuses a continuation out of turn or without a beginning', () => {
    const [first, second, third] = encodeCtaphid({
      channel: 7,
      command: 0x40,
      payload: new Uint8Array(170),
    });
    if (!first || !second || !third) throw new Error('three reports expected');
    expect(() => join([first, third])).toThrow(expect.objectContaining({ code: 'bad-sequence' }));
    expect(() => join([second])).toThrow(expect.objectContaining({ code: 'bad-sequence' }));
  });

  it('refuses a report of another size', () => {
    expect(() => decodeCtaphidPacket(new Uint8Array(63))).toThrow(
      expect.objectContaining({ code: 'bad-report' }),
    );
  });
});
