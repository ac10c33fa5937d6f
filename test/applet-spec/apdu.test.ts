import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ApduError } from '../../applet-spec/apdu-error.ts';
import {
  decodeCommand,
  decodeResponse,
  encodeCommand,
  encodeResponse,
  type CommandApdu,
} from '../../applet-spec/apdu.ts';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';

const header = { cla: 0x80, ins: 0x30, p1: 0x01, p2: 0x02 };
const none = new Uint8Array(0);
const two = Uint8Array.of(0xaa, 0xbb);

function refusal(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error instanceof ApduError ? error.code : error;
  }
  return 'nothing thrown';
}

describe('command APDUs (ISO/IEC 7816-4 §5.1)', () => {
  it.each<[string, CommandApdu, string, string]>([
    ['case 1', { ...header, data: none }, '80300102', '80300102'],
    ['case 2', { ...header, data: none, ne: 5 }, '8030010205', '80300102000005'],
    ['case 2, Ne 256', { ...header, data: none, ne: 256 }, '8030010200', '80300102000100'],
    ['case 3', { ...header, data: two }, '8030010202aabb', '80300102000002aabb'],
    ['case 4', { ...header, data: two, ne: 5 }, '8030010202aabb05', '80300102000002aabb0005'],
    [
      'case 4, Ne 256',
      { ...header, data: two, ne: 256 },
      '8030010202aabb00',
      '80300102000002aabb0100',
    ],
  ])('%s, short and extended', (_case, command, short, extended) => {
    expect(toHex(encodeCommand(command, 'short'))).toBe(short);
    expect(toHex(encodeCommand(command, 'extended'))).toBe(extended);
    expect(decodeCommand(fromHex(short))).toEqual(command);
    expect(decodeCommand(fromHex(extended))).toEqual(command);
  });

  it('carries 65,535 data bytes and Ne 65,536 in the extended form', () => {
    const command = { ...header, data: new Uint8Array(65_535).fill(3), ne: 65_536 };
    const encoded = encodeCommand(command, 'extended');
    expect(toHex(encoded.subarray(4, 7))).toBe('00ffff');
    expect(toHex(encoded.subarray(-2))).toBe('0000');
    expect(decodeCommand(encoded)).toEqual(command);
    const asking = { ...header, data: none, ne: 65_536 };
    expect(toHex(encodeCommand(asking, 'extended'))).toBe('80300102000000');
    expect(decodeCommand(fromHex('80300102000000'))).toEqual(asking);
  });

  it('decodes what it encodes, and encodes what it decodes', () => {
    const byte = fc.nat(255);
    const command = fc.record(
      {
        cla: byte,
        ins: byte,
        p1: byte,
        p2: byte,
        data: fc.uint8Array({ maxLength: 600 }),
        ne: fc.integer({ min: 1, max: 65_536 }),
      },
      { requiredKeys: ['cla', 'ins', 'p1', 'p2', 'data'] },
    );
    fc.assert(
      fc.property(command, (value) => {
        expect(decodeCommand(encodeCommand(value, 'extended'))).toEqual(value);
        if (value.data.length <= 255 && (value.ne ?? 1) <= 256) {
          expect(decodeCommand(encodeCommand(value, 'short'))).toEqual(value);
        }
      }),
    );
  });

  it('throws nothing but ApduError on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const outcome = refusal(() => decodeCommand(bytes));
        expect(['nothing thrown', 'apdu-malformed']).toContain(outcome);
      }),
    );
  });

  it.each([
    ['nothing', ''],
    ['three bytes', '803001'],
    ['Lc beyond the data', '8030010203aabb'],
    ['data beyond Lc and Le', '8030010201aabbcc'],
    ['an extended length of two bytes', '803001020000'],
    ['extended Lc 0 with data', '80300102000000aa'],
    ['extended Lc beyond the data', '80300102000003aabb'],
    ['extended with one Le byte', '80300102000002aabb00'],
    ['extended with three Le bytes', '80300102000002aabb000000'],
  ])('refuses %s', (_name, text) => {
    expect(refusal(() => decodeCommand(fromHex(text)))).toBe('apdu-malformed');
  });

  it('refuses what a form cannot hold', () => {
    const long = { ...header, data: new Uint8Array(256) };
    expect(refusal(() => encodeCommand(long, 'short'))).toBe('apdu-too-long');
    const longer = { ...header, data: new Uint8Array(65_536) };
    expect(refusal(() => encodeCommand(longer, 'extended'))).toBe('apdu-too-long');
    const asking = { ...header, data: none, ne: 257 };
    expect(refusal(() => encodeCommand(asking, 'short'))).toBe('apdu-too-long');
    expect(refusal(() => encodeCommand({ ...asking, ne: 65_537 }, 'extended'))).toBe(
      'apdu-too-long',
    );
    expect(() => encodeCommand({ ...asking, ne: 0 }, 'short')).toThrow(RangeError);
    expect(() => encodeCommand({ ...asking, ne: 5, p1: 256 }, 'short')).toThrow(RangeError);
  });
});

describe('response APDUs', () => {
  it.each([
    ['9000', none, 0x9000],
    ['aabb63c2', two, 0x63c2],
  ])('%s', (text, data, sw) => {
    expect(toHex(encodeResponse({ data, sw }))).toBe(text);
    expect(decodeResponse(fromHex(text))).toEqual({ data, sw });
  });

  it('refuses a response without a status word', () => {
    expect(refusal(() => decodeResponse(Uint8Array.of(0x90)))).toBe('apdu-malformed');
    expect(() => encodeResponse({ data: none, sw: 0x1_0000 })).toThrow(RangeError);
  });
});
