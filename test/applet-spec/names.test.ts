import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toHex } from '../../applet-spec/bytes.ts';
import {
  algorithm,
  currency,
  homeStation,
  isCurrency,
  isStationName,
  isUserName,
  stationName,
  suite,
  suiteAtLeast,
  toCurrency,
  toStationName,
  toUserName,
  userName,
  type Suite,
} from '../../applet-spec/names.ts';
import type { Value } from '../../applet-spec/tlv.ts';
import { TlvError } from '../../applet-spec/tlv-error.ts';

const stations = ['q1', '1', 'north.example.net', 'a-b', 'q'.repeat(32)];
const noStations = [
  '',
  'Q1',
  'q_1',
  '-q1',
  'q1-',
  '.q1',
  'q1.',
  'q..1',
  'q-.1',
  'q.-1',
  'q 1',
  'q1\n',
  'zürich',
  'q'.repeat(33),
];
const users = ['alice@q1', 'a.b+c-d_e@north.example.net', `${'a'.repeat(61)}@q1`];
const noUsers = [
  'alice',
  '@q1',
  'alice@',
  'Alice@q1',
  'alice@Q1',
  'alice@q1@q2',
  '.alice@q1',
  'alice.@q1',
  'al ice@q1',
  'alice@q..1',
  `${'a'.repeat(62)}@q1`,
];

describe('names', () => {
  it.each(stations)('of stations: "%s"', (name) => {
    expect(isStationName(name)).toBe(true);
    expect(stationName.decode(stationName.encode(toStationName(name)))).toBe(name);
  });

  it.each(noStations)('of no station: "%s"', (name) => {
    expect(isStationName(name)).toBe(false);
    expect(() => toStationName(name)).toThrow(RangeError);
    expect(() => unbranded(stationName).encode(name)).toThrow(TlvError);
    expect(() => stationName.decode(new TextEncoder().encode(name))).toThrow(TlvError);
  });

  it.each(users)('of users: "%s"', (name) => {
    expect(isUserName(name)).toBe(true);
    expect(userName.decode(userName.encode(toUserName(name)))).toBe(name);
  });

  it.each(noUsers)('of no user: "%s"', (name) => {
    expect(isUserName(name)).toBe(false);
    expect(() => toUserName(name)).toThrow(RangeError);
    expect(() => unbranded(userName).encode(name)).toThrow(TlvError);
  });

  it.each(['eur', 'EU', 'EURO', 'E R', ''])('of no currency: "%s"', (code) => {
    expect(isCurrency(code)).toBe(false);
    expect(() => toCurrency(code)).toThrow(RangeError);
    expect(() => unbranded(currency).encode(code)).toThrow(TlvError);
  });

  it('tell a user’s home station', () => {
    expect(homeStation(toUserName('alice@north.example.net'))).toBe('north.example.net');
  });

  it('are refused alike by the check and by the codec, whatever the text', () => {
    const texts = fc.string({ unit: fc.constantFrom('q', '1', '-', '.', 'Q', '@'), maxLength: 9 });
    fc.assert(
      fc.property(texts, (name) => {
        const encoded = (): unknown => unbranded(stationName).encode(name);
        if (isStationName(name)) expect(encoded()).toEqual(new TextEncoder().encode(name));
        else expect(encoded).toThrow(TlvError);
      }),
    );
  });
});

describe('suites', () => {
  const inOrder: readonly Suite[] = ['aes', 'otp-secret', 'otp'];

  it('stand in the order of their strength', () => {
    inOrder.forEach((offered, i) => {
      inOrder.forEach((wanted, j) => {
        expect(suiteAtLeast(offered, wanted)).toBe(i >= j);
      });
    });
  });

  it('have the codes of the specification', () => {
    expect(inOrder.map((each) => toHex(suite.encode(each)))).toEqual(['01', '02', '03']);
    expect(toHex(algorithm.encode('ecdsa-p256-sha256'))).toBe('01');
  });
});

/** The codec as code sees it that was not compiled against the brand. */
function unbranded<T extends string>(value: Value<T>): { encode(name: string): Uint8Array } {
  return {
    encode: (name) => {
      const known: (name: string) => name is T = (_name): _name is T => true;
      return known(name) ? value.encode(name) : new Uint8Array(0);
    },
  };
}
