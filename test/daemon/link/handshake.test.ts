import { afterEach, describe, expect, it } from 'vitest';
import { toHex, toUtf8 } from '../../../applet-spec/bytes.ts';
import { toStationName } from '../../../applet-spec/names.ts';
import {
  LinkRoom,
  messageOf,
  numberOf,
  pay,
  payments,
  secretOf,
  trustEverybody,
  until,
  type LinkEnd,
} from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

function lines(end: LinkEnd, code: string) {
  return end.log.filter(({ detail }) => detail['code'] === code);
}

describe('two neighbours', () => {
  it.each(['aes', 'otp-secret', 'otp'] as const)(
    'carry payments both ways under %s',
    async (suite) => {
      const [q1, q2] = await room.linked({ suite });
      expect(q1.changes).toEqual(['up q2']);
      expect(q2.changes).toEqual(['up q1']);
      for (const [from, to] of [
        [q1, q2],
        [q2, q1],
      ] as const) {
        const rows = await payments(from, 1, 3);
        expect(from.links.send(from.peer, rows)).toBe(true);
        await until(() => from.confirmed.length === 3);
        expect(to.rows.map(numberOf)).toEqual([1, 2, 3]);
        expect(to.rows.map(({ secret }) => secret)).toEqual([1, 2, 3].map(secretOf));
        expect(from.confirmed).toEqual([1n, 2n, 3n]);
      }
    },
  );

  it('tell each other what is not kept', async () => {
    const [q1, q2] = await room.linked();
    expect(q1.links.tell(q1.peer, { kind: 'crl', content: messageOf(7) })).toBe(true);
    await until(() => q2.told.length === 1);
    expect(q2.told).toEqual([{ kind: 'crl', content: messageOf(7) }]);
  });

  it('show neither certificate nor message nor secret to the fibre', async () => {
    const [q1, q2] = await room.linked();
    await pay(q1, 1, 5);
    await until(() => q2.rows.length === 5);
    const wire = room.network.sent.map(({ bytes }) => toHex(bytes)).join(' ');
    const hidden = [toUtf8('certificate of q1'), toUtf8('certificate of q2'), messageOf(1)];
    for (const bytes of [...hidden, secretOf(1)]) expect(wire).not.toContain(toHex(bytes));
    expect(wire).toContain(toHex(toUtf8('q1')));
  });

  it('do not send before they are linked', async () => {
    const [q1] = await room.pair();
    expect(q1.links.send(q1.peer, await payments(q1, 1, 1))).toBe(false);
    expect(q1.links.tell(q1.peer, { kind: 'crl', content: messageOf(1) })).toBe(false);
    await until(() => q1.state() === 'up');
  });

  it('say goodbye', async () => {
    const [q1, q2] = await room.linked();
    await q2.links.close();
    await until(() => q1.state() !== 'up');
    expect(q1.changes).toEqual(['up q2', 'down q2']);
    expect(q1.log.at(-1)?.detail['why']).toBe('the peer says: the station stops');
    expect(q2.log.every(({ level }) => level === 'info')).toBe(true);
  });

  it('reject work for an unknown neighbour', async () => {
    const [q1] = await room.linked();
    await expect(q1.links.protect(q1.name, [])).rejects.toMatchObject({ code: 'unknown-peer' });
    expect(q1.links.status(q1.name)).toBeUndefined();
    expect(q1.links.send(q1.name, [])).toBe(false);
  });
});

describe('two ends of different configuration refuse, and say why on both sides:', () => {
  it.each([
    ['suite', { suite: 'aes' }, 'q1 has the suite aes for this link, q2 has otp-secret'],
    ['network', { network: 'othernet' }, 'q1 is of the network "othernet", q2 of "testnet"'],
  ] as const)('%s', async (_, differs, why) => {
    const [q1, q2] = await room.pair({}, differs);
    await until(() => lines(q1, 'mismatch').length > 0);
    expect(lines(q1, 'mismatch')[0]?.detail['why']).toBe(`q2 refused: ${why}`);
    expect(lines(q2, 'mismatch')[0]?.detail['why']).toBe(why);
    await room.pass(60_000);
    expect(room.network.connections).toBeGreaterThan(3);
    expect(lines(q1, 'mismatch')).toHaveLength(1);
    expect(lines(q2, 'mismatch')).toHaveLength(1);
    expect(q1.links.status(q1.peer)).toMatchObject({ state: 'down', detail: `q2 refused: ${why}` });
    expect(q2.links.status(q2.peer)).toMatchObject({ state: 'down', detail: why });
    expect(q2.ledger.used.size).toBe(0);
    expect([...q1.changes, ...q2.changes]).toEqual([]);
  });

  it('certificate', async () => {
    const trust = {
      check: () => ({ ok: false, reason: 'revoked', detail: 'serial 7' }) as const,
    };
    const [q1, q2] = await room.pair({}, {}, { trust });
    await until(() => lines(q1, 'refused').length + lines(q2, 'certificate-refused').length === 2);
    expect(lines(q1, 'refused')[0]?.detail['why']).toBe(
      'q2 refused: the station certificate of q1 is refused',
    );
    expect(lines(q2, 'certificate-refused')[0]?.detail['why']).toContain('revoked: serial 7');
    expect(q1.changes).toEqual([]);
  });

  it('the document key behind a good certificate', async () => {
    const borrowed = {
      check: () => ({
        ok: true as const,
        publicKey: seededKey,
      }),
    };
    const check = trustEverybody.check(
      toUtf8('certificate of q3'),
      'station-document',
      toStationName('q3'),
    );
    if (!check.ok) throw new Error('q3 has a certificate');
    const seededKey = check.publicKey;
    const [q1, q2] = await room.pair({}, { trust: borrowed });
    await until(() => lines(q1, 'certificate-refused').length === 1);
    expect(lines(q1, 'certificate-refused')[0]?.detail['why']).toContain('signature');
    await until(() => q2.changes.length > 0);
    expect(q1.changes).toEqual([]);
  });
});
