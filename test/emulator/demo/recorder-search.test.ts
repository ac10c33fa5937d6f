import { describe, expect, it } from 'vitest';
import type { Needle } from '../../../emulator/demo/recorder-needles.ts';
import {
  blindSpots,
  searchRecordings,
  type Finding,
} from '../../../emulator/demo/recorder-search.ts';
import type { Recording } from '../../../emulator/demo/recorder.ts';
import { noise } from './noise.ts';

const secret = noise(32, 'coin secret');
const certificate = noise(613, 'certificate');
const needles: Needle[] = [
  { name: 'a coin secret', bytes: secret },
  { name: "alice's certificate", bytes: certificate },
];

/** Bytes on a card's wire that is no vpcd, so that only the wire itself is searched. */
function wire(bytes: Uint8Array): Recording {
  return { segment: 'card-host', stream: 'wire #1', toTarget: new Uint8Array(), toClient: bytes };
}

function around(bytes: Uint8Array | string): Uint8Array {
  return Buffer.concat([Buffer.from([255, 255, 0]), Buffer.from(bytes), Buffer.from([0, 1])]);
}

/** The findings in `bytes`, as sent over a wire to the client. */
function found(bytes: Uint8Array): Pick<Finding, 'form' | 'needle' | 'offset' | 'windows'>[] {
  return searchRecordings([wire(bytes)], needles).map((finding) => {
    const { segment, stream, direction, layer, ...rest } = finding;
    expect({ segment, stream, direction, layer }).toEqual({
      segment: 'card-host',
      stream: 'wire #1',
      direction: 'to-client',
      layer: 'wire',
    });
    return rest;
  });
}

const certificateWindows = 613 - 15;

describe('a search finds a needle', () => {
  const text = (form: 'hex' | 'base64' | 'base64url', bytes = certificate): string =>
    Buffer.from(bytes).toString(form);

  it('raw', () => {
    expect(found(around(certificate))).toEqual([
      { form: 'raw', needle: "alice's certificate", offset: 3, windows: certificateWindows },
    ]);
  });

  it.each([
    ['lower case', text('hex'), 3],
    ['upper case', text('hex').toUpperCase(), 3],
    ['mixed case', text('hex').replace(/[a-c]/g, (digit) => digit.toUpperCase()), 3],
    ['after an odd digit', `f${text('hex')}`, 4],
  ])('in hexadecimal, %s', (_, encoded, offset) => {
    const form = 'hex';
    expect(found(around(encoded))).toEqual([
      { form, needle: "alice's certificate", offset, windows: certificateWindows },
    ]);
  });

  it.each([0, 1, 2].flatMap((before) => [0, 1, 2].map((after) => [before, after] as const)))(
    'in base64 and base64url, %i bytes after and %i before a boundary',
    (before, after) => {
      const bytes = Buffer.concat([new Uint8Array(before), certificate, new Uint8Array(after)]);
      for (const form of ['base64', 'base64url'] as const) {
        for (const prefix of ['', 'A', 'AB', 'ABC']) {
          const offset = 3 + prefix.length + Math.floor((before * 8) / 6);
          expect(found(around(`${prefix}${text(form, bytes)}`))).toEqual([
            {
              form: 'base64',
              needle: "alice's certificate",
              offset,
              windows: certificateWindows,
            },
          ]);
        }
      }
    },
  );

  it('in PEM, whose lines are broken', () => {
    const pem = text('base64').replace(/.{64}/g, '$&\n');
    expect(found(around(pem))[0]).toMatchObject({ form: 'base64', offset: 3 });
  });

  it.each([0, 1, 300, 597])('of which only the 16 bytes at %i are there', (at) => {
    const window = certificate.subarray(at, at + 16);
    const needle = "alice's certificate";
    expect(found(around(window))).toEqual([{ form: 'raw', needle, offset: 3, windows: 1 }]);
    for (const form of ['hex', 'base64'] as const) {
      expect(found(around(text(form, window)))).toEqual([{ form, needle, offset: 3, windows: 1 }]);
    }
  });

  it('at the very end and the very start', () => {
    expect(found(secret)).toEqual([
      { form: 'raw', needle: 'a coin secret', offset: 0, windows: 17 },
    ]);
    expect(found(Buffer.from(text('base64', secret)))[0]).toMatchObject({ windows: 17 });
    expect(found(Buffer.from(text('hex', secret)))[0]).toMatchObject({ windows: 17 });
  });

  it('that shares a part with another, and one that repeats itself', () => {
    const twins = [
      { name: 'one', bytes: Buffer.concat([secret, noise(9, 'one')]) },
      { name: 'two', bytes: Buffer.concat([noise(9, 'two'), secret]) },
      { name: 'zeros', bytes: new Uint8Array(400) },
    ];
    const names = (bytes: Uint8Array): string[] =>
      searchRecordings([wire(bytes)], twins).map(({ needle }) => needle);
    expect(names(around(secret)).toSorted()).toEqual(['one', 'two']);
    expect(names(new Uint8Array(16))).toEqual(['zeros']);
  });
});

describe('a search finds nothing', () => {
  it('in 15 bytes of a needle, in any form', () => {
    for (let at = 0; at + 15 <= certificate.length; at++) {
      const part = Buffer.from(certificate.subarray(at, at + 15));
      // The bytes beside the part are not those beside it in the certificate.
      const before = Uint8Array.of((certificate[at - 1] ?? 0) ^ 1);
      const after = Uint8Array.of((certificate[at + 15] ?? 0) ^ 1);
      expect(found(Buffer.concat([before, part, after]))).toEqual([]);
      expect(found(around(part.toString('hex')))).toEqual([]);
      expect(found(around(part.toString('base64')))).toEqual([]);
    }
  });

  it('in a needle with every 16th byte changed', () => {
    expect(
      found(around(certificate.map((byte, at) => (at % 16 === 15 ? byte ^ 1 : byte)))),
    ).toEqual([]);
  });

  it('in noise and in text', () => {
    const other = noise(100_000, 'something else');
    expect(found(other)).toEqual([]);
    expect(found(Buffer.from(Buffer.from(other).toString('base64')))).toEqual([]);
    expect(found(Buffer.from(Buffer.from(other).toString('hex')))).toEqual([]);
    expect(found(new Uint8Array(10))).toEqual([]);
  });
});

it('refuses a needle too short to be told from chance', () => {
  const short = [{ name: 'a PIN', bytes: new Uint8Array(15) }];
  expect(() => searchRecordings([], short)).toThrow(
    new RangeError('a PIN: 15 bytes cannot be searched for'),
  );
});

it('calls a connection that it cannot read a blind spot', () => {
  const tls = Uint8Array.of(0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00);
  const place = { segment: 'station-station', stream: 'q1–q2 #1' } as const;
  expect(blindSpots([{ ...place, toTarget: tls, toClient: tls }])).toEqual([
    { ...place, direction: 'to-target', reason: 'no WebSocket upgrade' },
    { ...place, direction: 'to-client', reason: 'no WebSocket upgrade' },
  ]);
  expect(blindSpots([{ ...wire(tls), toTarget: tls }])).toEqual([
    { segment: 'card-host', stream: 'wire #1', direction: 'to-target', reason: 'no vpcd frame' },
    { segment: 'card-host', stream: 'wire #1', direction: 'to-client', reason: 'no vpcd frame' },
  ]);
});

it('searches 10 MB of each kind for a thousand needles in seconds', { timeout: 10_000 }, () => {
  const coins = Array.from({ length: 1000 }, (_, i) => ({
    name: `coin ${i}`,
    bytes: noise(32, `coin ${i}`),
  }));
  const haystack = Buffer.from(noise(10_000_000, 'haystack'));
  const base64 = Buffer.from(haystack.toString('base64').slice(0, 10_000_000));
  for (const bytes of [haystack, base64]) {
    bytes.set(noise(32, 'coin 999'), bytes.length - 40);
    const findings = searchRecordings([wire(bytes)], [...needles, ...coins]);
    expect(findings.map(({ needle }) => needle)).toEqual(['coin 999']);
  }
});
