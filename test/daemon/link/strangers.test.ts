import { afterEach, describe, expect, it } from 'vitest';
import { concatBytes } from '../../../applet-spec/bytes.ts';
import { toStationName } from '../../../applet-spec/names.ts';
import {
  handshakeMac,
  handshakeMessage,
  splitHandshake,
} from '../../../daemon/link/handshake-message.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { LinkRoom, primitives, turns, until } from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

const chance = seededEntropy('strangers');

function strangersHello(version = 1): Uint8Array {
  const content = {
    version,
    network: 'testnet',
    from: toStationName('q1'),
    to: toStationName('q2'),
    suite: 'otp-secret',
    nonce: chance.randomBytes(32),
  } as const;
  return concatBytes(handshakeMessage.encode({ kind: 'hello', content }), chance.randomBytes(16));
}

async function say(bytes: Uint8Array, from = 'mallory'): Promise<Uint8Array[]> {
  const heard: Uint8Array[] = [];
  const socket = await room.network.connect('memory://q2', 1_048_576, from);
  socket.listen({ message: (answer) => heard.push(answer), closed: () => undefined });
  socket.send(bytes);
  await turns(5);
  return heard;
}

describe('a stranger', () => {
  it('spends no QKD key with a thousand hellos, hears nothing, and is reported once', async () => {
    const [q1, q2] = await room.pair({}, { dials: false });
    for (let i = 0; i < 1_000; i++) expect(await say(strangersHello())).toEqual([]);
    expect(q2.source.drawn).toEqual([]);
    expect(q2.ledger.calls).toEqual([]);
    expect(q2.reservoir.balance().received).toBe(0n);
    expect(q2.log).toHaveLength(1);
    expect(q2.log[0]).toMatchObject({ peer: 'mallory', message: 'a stranger was turned away' });
    expect([...q1.changes, ...q2.changes]).toEqual([]);
  });

  it('does not keep the neighbour out', async () => {
    const q2 = await room.open('q2', { peer: 'q1' });
    for (let i = 0; i < 100; i++) await say(strangersHello());
    const q1 = await room.open('q1', { peer: 'q2', dials: true });
    await until(() => q1.state() === 'up' && q2.state() === 'up');
    expect(q1.changes).toEqual(['up q2']);
  });

  it('who says nothing is shown the door', async () => {
    const q2 = await room.open('q2', { peer: 'q1' });
    let closed = '';
    const socket = await room.network.connect('memory://q2', 1_048_576, 'mallory');
    socket.listen({ message: () => undefined, closed: (reason) => (closed = reason) });
    await room.pass(6_000);
    expect(closed).toBe('refused');
    expect(q2.log[0]?.detail).toMatchObject({ code: 'timeout' });
  });

  it.each([
    ['nothing', new Uint8Array(0)],
    ['noise', chance.randomBytes(200)],
    ['too much', new Uint8Array(5_000)],
    ['a message out of turn', concatBytes(Uint8Array.of(0x63, 2, 0x80, 0), new Uint8Array(16))],
  ])('is turned away when it says %s', async (_, bytes) => {
    const q2 = await room.open('q2', { peer: 'q1' });
    expect(await say(bytes)).toEqual([]);
    expect(q2.log).toHaveLength(1);
    expect(q2.ledger.calls).toEqual([]);
  });

  it('who replays a neighbour’s hello makes at most one key ready', async () => {
    const [q1, q2] = await room.linked();
    const [hello] = room.network.sent;
    if (hello === undefined) throw new Error('nobody said hello');
    await q1.close();
    await until(() => q2.state() === 'down');
    const before = q2.ledger.used.size;
    for (let i = 0; i < 50; i++) await say(hello.bytes, `mallory ${String(i)}`);
    await room.pass(20_000);
    expect(q2.ledger.used.size).toBeLessThanOrEqual(before + 1);
    expect(q2.state()).toBe('down');
    expect(q2.changes).toEqual(['up q1', 'down q1']);
  });

  it('who replays a neighbour’s hello while its link is up is no news of the link', async () => {
    const [, q2] = await room.linked();
    const [hello] = room.network.sent;
    await say(hello?.bytes ?? new Uint8Array(0));
    await room.pass(6_000);
    expect(q2.state()).toBe('up');
    expect(q2.log.map(({ peer, message }) => `${peer}: ${message}`)).toEqual([
      'q1: the link is up',
      'mallory: a stranger was turned away',
    ]);
  });
});

describe('a neighbour', () => {
  it('of another version of the link hears so, and neither end uses a key', async () => {
    const authenticationKey = chance.randomBytes(32);
    const q2 = await room.open('q2', { peer: 'q1', authenticationKey });
    const { body } = splitHandshake(strangersHello(2));
    const about = { kind: 'hello', direction: 'to-listener', chain: primitives.sha256() } as const;
    const mac = handshakeMac(primitives, authenticationKey, { ...about, body });
    const heard = (await say(concatBytes(body, mac))).map((each) => splitHandshake(each).message);
    const detail = 'q1 speaks version 2 of the link, q2 version 1';
    expect(heard).toMatchObject([{ kind: 'refusal', content: { why: 'mismatch', detail } }]);
    expect(q2.log.map((line) => line.detail)).toMatchObject([{ code: 'mismatch', why: detail }]);
    expect(q2.ledger.calls).toEqual([]);
  });
});

describe('another authentication key', () => {
  it('keeps neighbours apart, at the cost of no key but the dialler’s spare one', async () => {
    const [q1, q2] = await room.pair({}, { authenticationKey: chance.randomBytes(32) });
    await room.pass(120_000);
    expect(room.network.connections).toBeGreaterThan(5);
    expect(q1.state()).toBe('down');
    expect(q2.ledger.calls).toEqual([]);
    expect(q2.reservoir.balance().received).toBe(0n);
    expect(q1.ledger.used.size).toBe(1);
    expect(q2.log.filter(({ level }) => level === 'warn').length).toBeLessThanOrEqual(3);
    expect(q1.log.filter(({ level }) => level === 'warn').length).toBeLessThanOrEqual(2);
  });
});
