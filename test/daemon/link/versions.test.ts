import { afterEach, describe, expect, it } from 'vitest';
import { fromHex, toHex } from '../../../applet-spec/bytes.ts';
import { toStationName } from '../../../applet-spec/names.ts';
import { handshakeMessage } from '../../../daemon/link/handshake-message.ts';
import { LinkRoom, pay, secretOf, until, type LinkEnd } from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

const versionsOf = ([least, most]: readonly [number, number]) => ({ versions: { least, most } });

function agreed({ log }: LinkEnd): string | undefined {
  return log.find(({ message }) => message === 'the link is up')?.detail['version'];
}

describe('two stations of other versions', () => {
  it.each([
    { dialler: [1, 1], listener: [1, 1], version: '1' },
    { dialler: [1, 2], listener: [1, 1], version: '1' },
    { dialler: [1, 1], listener: [1, 2], version: '1' },
    { dialler: [1, 3], listener: [2, 4], version: '3' },
    { dialler: [2, 4], listener: [1, 3], version: '3' },
    { dialler: [2, 2], listener: [1, 3], version: '2' },
  ] as const)(
    'that speak $dialler and $listener take $version, the highest of both',
    async ({ dialler, listener, version }) => {
      const [q1, q2] = await room.linked({}, versionsOf(dialler), versionsOf(listener));
      expect([q1, q2].map(agreed)).toEqual([version, version]);
      await pay(q1, 1, 2);
      await until(() => q2.rows.length === 2);
      expect(q2.rows.map(({ secret }) => secret)).toEqual([secretOf(1), secretOf(2)]);
    },
  );

  it.each([
    {
      dialler: [2, 3],
      listener: [1, 1],
      why: 'q1 speaks versions 2 to 3 of the link, q2 version 1',
    },
    {
      dialler: [1, 1],
      listener: [2, 3],
      why: 'q1 speaks version 1 of the link, q2 versions 2 to 3',
    },
    {
      dialler: [4, 4],
      listener: [1, 3],
      why: 'q1 speaks version 4 of the link, q2 versions 1 to 3',
    },
  ] as const)(
    'that have none in common say so, and no key is named: $why',
    async ({ dialler, listener, why }) => {
      const [q1, q2] = await room.pair({}, versionsOf(dialler), versionsOf(listener));
      const told = (end: LinkEnd) => end.log.find(({ detail }) => detail['code'] === 'mismatch');
      await until(() => told(q1) !== undefined && told(q2) !== undefined);
      expect(told(q2)?.detail['why']).toBe(why);
      expect(told(q1)?.detail['why']).toBe(`q2 refused: ${why}`);
      expect(q2.ledger.used.size).toBe(0);
      // The one that the dialler makes ready for whichever link comes next.
      expect(q1.ledger.used.size).toBeLessThanOrEqual(1);
      expect(q2.ledger.calls).toEqual([]);
    },
  );

  it('hear of a greeting in which somebody lowered the version that it is not theirs', async () => {
    room.network.adversary = ({ bytes, from }) => {
      if (from !== 'q1' || bytes[0] !== handshakeMessage.kinds.hello.tag) return [bytes];
      const lowered = bytes.slice();
      expect(toHex(lowered.subarray(2, 5))).toBe('800102');
      lowered[4] = 1;
      return [lowered];
    };
    const [q1, q2] = await room.pair(versionsOf([1, 2]));
    const codes = () => q2.log.map(({ detail }) => detail['code']);
    await until(() => codes().includes('not-authenticated'));
    expect(q2.state()).not.toBe('up');
    expect([q1, q2].map(agreed)).toEqual([undefined, undefined]);
    expect(q2.ledger.used.size).toBe(0);
  });
});

describe('greetings keep their form in every version', () => {
  const nonce = '00112233445566778899aabbccddeeff'.repeat(2);
  const content = {
    network: 'testnet',
    from: toStationName('q1'),
    to: toStationName('q2'),
    suite: 'aes',
    nonce: fromHex(nonce),
  } as const;
  const rest = `8107746573746e6574820271318302713284010185 20${nonce}`.replace(' ', '');

  it.each([
    [
      'a hello of version 1',
      { kind: 'hello', content: { version: 1, ...content } },
      '61',
      '01',
      '',
    ],
    [
      'a hello of versions 2 to 3',
      { kind: 'hello', content: { version: 3, leastVersion: 2, ...content } },
      ...(['61', '03', '860102'] as const),
    ],
    ['an answer', { kind: 'answer', content: { version: 2, ...content } }, '62', '02', ''],
  ] as const)('%s', (_name, message, tag, version, least) => {
    const inner = `8001${version}${rest}${least}`;
    const bytes = `${tag}${(inner.length / 2).toString(16)}${inner}`;
    expect(toHex(handshakeMessage.encode(message))).toBe(bytes);
    expect(handshakeMessage.decode(fromHex(bytes))).toEqual(message);
  });

  it('an answer has one version and names no other', () => {
    const inner = `800102${rest}860101`;
    const bytes = fromHex(`62${(inner.length / 2).toString(16)}${inner}`);
    expect(() => handshakeMessage.decode(bytes)).toThrow('3 bytes behind the last element');
  });
});
