import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { concatBytes, toHex } from '../../applet-spec/bytes.ts';
import {
  deskMessage,
  deskRefusalCodes,
  paymentStandings,
} from '../../applet-spec/desk-messages.ts';
import { limits } from '../../applet-spec/limits.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';
import { deskSamples, encodedDeskSamples, encodedHostSamples } from './desk-samples.ts';

const all = [
  ...encodedHostSamples.map((one) => ({ from: 'host', ...one })),
  ...encodedDeskSamples.map((one) => ({ from: 'desk', ...one })),
];

describe.each(all)('$kind of the $from', (sample) => {
  const { kind, content, bytes } = sample;

  it('is read as it was written', () => {
    expect(sample.decode(bytes)).toEqual({ kind, content });
    expect(toHex(sample.again(bytes))).toBe(toHex(bytes));
  });

  it('is refused when cut, extended or changed to another form', () => {
    for (let length = 0; length < Math.min(bytes.length, 600); length++) {
      expect(() => sample.decode(bytes.subarray(0, length))).toThrow(TlvError);
    }
    expect(() => sample.decode(concatBytes(bytes, Uint8Array.of(0)))).toThrow(TlvError);
  });

  it('is refused, or has one byte string, after a change of any byte', () => {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }), (place, byte) => {
        const changed = bytes.map((value, i) => (i === place ? byte : value));
        let written: Uint8Array;
        try {
          written = sample.again(changed);
        } catch (error) {
          expect(error).toBeInstanceOf(TlvError);
          return;
        }
        expect(toHex(written)).toBe(toHex(changed));
      }),
    );
  });
});

describe('desk messages', () => {
  it('have codes that no two words share', () => {
    for (const codes of [deskRefusalCodes, paymentStandings]) {
      expect(new Set(Object.values(codes)).size).toBe(Object.keys(codes).length);
    }
  });

  it('hold the longest CRL beside a quote', () => {
    const crl = new Uint8Array(limits.crlBytes);
    const bytes = deskMessage.encode({ kind: 'quote', content: { ...deskSamples.quote, crl } });
    expect(bytes.length).toBeLessThan(limits.deskMessageBytes);
    const longer = new Uint8Array(limits.crlBytes + 1);
    expect(() =>
      deskMessage.encode({ kind: 'quote', content: { ...deskSamples.quote, crl: longer } }),
    ).toThrow('quote.crl: 400001 bytes where 1 to 400000 are allowed');
  });

  it('hold the longest APDU', () => {
    const apdu = new Uint8Array(limits.apduBytes);
    const bytes = deskMessage.encode({ kind: 'command', content: { exchange: 1n, apdu } });
    expect(deskMessage.decode(bytes)).toEqual({ kind: 'command', content: { exchange: 1n, apdu } });
  });

  it('hold a full page of payments over sixteen stations', () => {
    const [record] = deskSamples.payments.records;
    if (record === undefined) throw new Error('the sample has a record');
    const content = { ...deskSamples.payments, records: Array.from({ length: 16 }, () => record) };
    const bytes = deskMessage.encode({ kind: 'payments', content });
    expect(bytes.length).toBeLessThan(limits.deskMessageBytes);
    const tooMany = { ...content, records: [...content.records, record] };
    expect(() => deskMessage.encode({ kind: 'payments', content: tooMany })).toThrow(TlvError);
  });
});
