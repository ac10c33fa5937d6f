import { describe, expect, it } from 'vitest';
import { concatBytes, fromHex } from '../../../applet-spec/bytes.ts';
import { encodePcscFrame, PcscFrameReader } from '../../../driver/reader/pcsc-frames.ts';
import type { FromPcscChild, ToPcscChild } from '../../../driver/reader/pcsc-messages.ts';

const messages: readonly (ToPcscChild | FromPcscChild)[] = [
  { kind: 'connect', reader: 'Virtual PCD 00 00' },
  { kind: 'transmit', command: Uint8Array.of(0, 0xca, 1, 1, 0) },
  { kind: 'transmit-whole', command: new Uint8Array(65_544).fill(7) },
  { kind: 'answer', response: new Uint8Array(65_538).fill(9) },
  { kind: 'connected', atr: Uint8Array.of(0x3b, 0x00), protocol: 'T=1' },
  { kind: 'running' },
  { kind: 'failed', fault: { code: 'mute', message: 'no answer' } },
];

describe('frames between the driver and its pcsclite child', () => {
  const stream = concatBytes(...messages.map(encodePcscFrame));

  it.each([1, 3, 5, 4_096, 65_536, stream.length])(
    'are whole again from chunks of %i bytes',
    (size) => {
      const reader = new PcscFrameReader();
      const read: unknown[] = [];
      for (let at = 0; at < stream.length; at += size) {
        // A byte at a time the long ones would take minutes: only their seams are cut so fine.
        const end = size < 16 && at > 200 ? stream.length : at + size;
        read.push(...reader.push(stream.subarray(at, end)));
        if (end === stream.length) break;
      }
      expect(read).toEqual(messages);
    },
  );

  it('keep no hold on the chunk that they came in', () => {
    const chunk = encodePcscFrame({ kind: 'answer', response: Uint8Array.of(1, 2, 0x90, 0) });
    const [message] = new PcscFrameReader().push(chunk);
    chunk.fill(0);
    expect(message).toEqual({ kind: 'answer', response: Uint8Array.of(1, 2, 0x90, 0) });
  });

  it.each(['ffffffff00', '0000000007'])('of no sense, as %s, are an error', (bytes) => {
    expect(() => new PcscFrameReader().push(fromHex(bytes))).toThrow(RangeError);
  });
});
