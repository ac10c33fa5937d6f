import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeVpcdFrame, VpcdFrameReader } from '../../applet-spec/vpcd.ts';

describe('vpcd framing', () => {
  it('is a 16-bit big-endian length and the body', () => {
    expect(encodeVpcdFrame(Uint8Array.of(4))).toEqual(Uint8Array.of(0, 1, 4));
    expect(encodeVpcdFrame(new Uint8Array(0x1234)).subarray(0, 2)).toEqual(
      Uint8Array.of(0x12, 0x34),
    );
  });

  it('has no frame for nothing and none for more than 65,535 bytes', () => {
    expect(() => encodeVpcdFrame(new Uint8Array(0))).toThrow(RangeError);
    expect(encodeVpcdFrame(new Uint8Array(65_535))).toHaveLength(65_537);
    expect(() => encodeVpcdFrame(new Uint8Array(65_536))).toThrow(RangeError);
  });

  it('is cut by length, however the chunks fall', () => {
    const body = fc.uint8Array({ minLength: 1, maxLength: 400 });
    fc.assert(
      fc.property(fc.array(body, { maxLength: 8 }), fc.array(fc.nat(300)), (bodies, cuts) => {
        const stream = Buffer.concat(bodies.map(encodeVpcdFrame));
        const reader = new VpcdFrameReader();
        const read: Uint8Array[] = [];
        let offset = 0;
        for (const cut of [...cuts, stream.length]) {
          read.push(...reader.push(Uint8Array.from(stream.subarray(offset, offset + cut))));
          offset += cut;
        }
        expect(read).toEqual(bodies);
      }),
    );
  });

  it('shows an empty frame as an empty body', () => {
    expect(new VpcdFrameReader().push(Uint8Array.of(0, 0, 0, 1, 9))).toEqual([
      new Uint8Array(0),
      Uint8Array.of(9),
    ]);
  });
});
