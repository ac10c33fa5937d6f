import { afterEach, describe, expect, it } from 'vitest';
import { FrameOpener, FrameSealer, trafficKey } from '../../../daemon/link/frame-cipher.ts';
import { QkdError } from '../../../daemon/qkd/qkd-error.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { ScriptedSource } from '../qkd/key-fixtures.ts';
import {
  LinkRoom,
  messageOf,
  numberOf,
  pay,
  primitives,
  turns,
  until,
  type LinkEnd,
} from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

const huge = { rekeyRecords: 1_000_000, rekeyBytes: 1_000_000_000, rekeySeconds: 1_000_000 };

function trafficKeys(end: LinkEnd): number {
  const uses = [...end.ledger.used.values()];
  return uses.filter(({ direction, purpose }) => direction === 'send' && purpose === 'traffic')
    .length;
}

/** Epochs of the frames that went from `end`, in the order of their sending. */
function epochs(end: LinkEnd): number[] {
  const frames = room.network.sent.filter(({ from, bytes }) => from === end.name && bytes[0] === 0);
  return frames.map(({ bytes }) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0));
}

describe('a fresh QKD key is taken', () => {
  it('by count, with traffic in flight, and no record under a key beyond its count', async () => {
    const [q1, q2] = await room.linked({ suite: 'aes', ...huge, rekeyRecords: 100 });
    for (let i = 0; i < 50; i++) {
      await pay(q1, 20 * i + 1, 20 * i + 20);
      if (i % 3 === 0) await pay(q2, i, i);
      await turns(1);
    }
    await until(() => q1.outbox.size === 0 && q2.outbox.size === 0);
    expect(q2.rows.map(numberOf)).toEqual(Array.from({ length: 1_000 }, (_, i) => i + 1));
    expect(trafficKeys(q1)).toBeGreaterThanOrEqual(10);
    // Each direction by its own count.
    expect(trafficKeys(q2)).toBe(1);
    const used = epochs(q1);
    expect(used).toEqual(used.toSorted((a, b) => a - b));
    expect(q1.changes).toEqual(['up q2']);
  });

  it('by bytes', async () => {
    const [q1] = await room.linked({ suite: 'aes', ...huge, rekeyBytes: 10_000 });
    for (let i = 0; i < 10; i++) {
      await pay(q1, 3 * i + 1, 3 * i + 3, 1_200);
      await until(() => q1.outbox.size === 0);
    }
    expect(trafficKeys(q1)).toBeGreaterThanOrEqual(4);
    expect(trafficKeys(q1)).toBeLessThanOrEqual(6);
  });

  it('by time, at both ends at once, while the link is idle and while it is not', async () => {
    const [q1, q2] = await room.linked({ suite: 'aes', ...huge, rekeySeconds: 120 });
    await room.pass(97_000);
    expect([trafficKeys(q1), trafficKeys(q2)]).toEqual([2, 2]);
    for (let i = 0; i < 10; i++) {
      await pay(q1, i, i);
      await pay(q2, i, i);
      await room.pass(30_000);
    }
    expect([trafficKeys(q1), trafficKeys(q2)]).toEqual([5, 5]);
    expect([q1.rows.length, q2.rows.length]).toEqual([10, 10]);
    expect([q1.changes, q2.changes]).toEqual([['up q2'], ['up q1']]);
  });

  it('again where the peer cannot have it, and the old one is not stretched', async () => {
    class Forgetful extends ScriptedSource {
      forgets = 0;
      override async fetch(ids: readonly string[]) {
        if (this.forgets-- > 0) throw new QkdError('not-found', 'no such key', { keyIds: ids });
        return super.fetch(ids);
      }
    }
    const source = new Forgetful(1_000, room.handedOut);
    const limits = { ...huge, rekeyRecords: 10 };
    const [q1, q2] = await room.linked({ suite: 'aes', ...limits }, {}, { source });
    source.forgets = 3;
    await pay(q1, 1, 25);
    await until(() => q1.outbox.size === 0);
    expect(q2.rows).toHaveLength(25);
    expect(trafficKeys(q1)).toBe(1 + 3 + 2);
    expect(q1.changes).toEqual(['up q2']);
  });
});

describe('a key whose life is over', () => {
  it('seals no more: traffic waits, the status says so, and goes on with fresh keys', async () => {
    const limits = { ...huge, rekeyRecords: 10 };
    const [q1, q2] = await room.linked({ suite: 'aes', ...limits }, { stock: 1 });
    await pay(q1, 1, 25);
    await room.pass(5_000);
    expect(q2.rows).toHaveLength(10);
    const status = q1.links.status(q1.peer);
    expect(status).toMatchObject({ state: 'waiting-for-keys', missingBits: 256n });
    expect(status?.detail).toBe('traffic waits for a fresh QKD key');
    // The other direction has keys of its own, and its confirmations come.
    await pay(q2, 1, 3);
    await until(() => q2.outbox.size === 0);
    q1.source.refill(5);
    await room.pass(5_000);
    await until(() => q1.outbox.size === 0);
    expect(q2.rows.map(numberOf)).toEqual(Array.from({ length: 25 }, (_, i) => i + 1));
    expect(q1.state()).toBe('up');
    expect(q1.changes).toEqual(['up q2']);
  });

  it('is no trouble for the moment that a fresh one takes', async () => {
    const [q1, q2] = await room.linked({ suite: 'aes', ...huge, rekeyRecords: 10 }, { stock: 1 });
    await pay(q1, 1, 11);
    await until(() => q2.rows.length === 10);
    await room.pass(199);
    expect(q1.state()).toBe('up');
    await room.pass(1);
    expect(q1.state()).toBe('waiting-for-keys');
  });

  it('of age: the same, where the machine slept meanwhile and no timer counted', async () => {
    const [q1, q2] = await room.linked({ suite: 'aes', ...huge, rekeySeconds: 100 }, { stock: 1 });
    room.stationClock.set(100_000);
    await pay(q1, 1, 1);
    await room.pass(1_000);
    expect(q2.rows).toEqual([]);
    q1.source.refill(5);
    await room.pass(5_000);
    expect(q2.rows).toHaveLength(1);
  });

  it.each([0, -3_600_000, 3_600_000])('of age: the same, the clock set by %i ms', async (by) => {
    const limits = { ...huge, rekeySeconds: 100 };
    const [q1, q2] = await room.linked({ suite: 'aes', ...limits }, { stock: 1 });
    room.stationClock.set(by);
    await room.pass(101_000);
    await pay(q1, 1, 1);
    await room.pass(1_000);
    expect(q2.rows).toEqual([]);
    expect(q1.state()).toBe('waiting-for-keys');
    q1.source.refill(5);
    await room.pass(5_000);
    expect(q2.rows).toHaveLength(1);
  });
});

describe('the frame cipher', () => {
  const clock = new VirtualClock();
  const greeting = new Uint8Array(32).fill(9);
  const qkd = (number: number) => new Uint8Array(32).fill(number);
  const fresh = (number: number, epoch = 1) =>
    trafficKey(primitives, qkd(number), { greeting, direction: 'to-listener', epoch });

  it('opens frames of the old key for 30 seconds after the new one has begun', () => {
    const opener = new FrameOpener(primitives, clock, fresh(1));
    const late = new FrameSealer(primitives, fresh(1), 1);
    const later = new FrameSealer(primitives, fresh(1), 2);
    const sealer = new FrameSealer(primitives, fresh(1));
    opener.add(2, fresh(2, 2));
    sealer.rekey(2, fresh(2, 2));
    expect(opener.open(sealer.seal(messageOf(1)))).toEqual(messageOf(1));
    clock.advance(29_999);
    expect(opener.open(late.seal(messageOf(2)))).toEqual(messageOf(2));
    clock.advance(1);
    expect(() => opener.open(later.seal(messageOf(3)))).toThrow(/does not verify/);
    expect(clock.pending).toBe(0);
  });

  it('takes no further key before the last one was used: a peer piles up none', () => {
    const opener = new FrameOpener(primitives, clock, fresh(1));
    const sealer = new FrameSealer(primitives, fresh(1));
    opener.add(2, fresh(2, 2));
    expect(() => {
      opener.add(3, fresh(3, 3));
    }).toThrow(expect.objectContaining({ code: 'peer-out-of-bounds' }));
    sealer.rekey(2, fresh(2, 2));
    opener.open(sealer.seal(messageOf(1)));
    opener.add(3, fresh(3, 3));
    opener.close();
  });

  it('throws at the limit of its counter, and never returns to a nonce', () => {
    const sealer = new FrameSealer(primitives, fresh(1), 0xffff_fffe);
    sealer.seal(messageOf(1));
    for (let i = 0; i < 2; i++) {
      expect(() => sealer.seal(messageOf(2))).toThrow(
        expect.objectContaining({ code: 'counter-exhausted' }),
      );
    }
    sealer.rekey(2, fresh(2, 2));
    expect(() => sealer.seal(messageOf(2))).toThrow(/last frame/);
  });

  it.each([
    ['the other direction', { direction: 'to-dialler', epoch: 1, greeting }],
    ['another epoch', { direction: 'to-listener', epoch: 2, greeting }],
    ['another greeting', { direction: 'to-listener', epoch: 1, greeting: new Uint8Array(32) }],
  ] as const)('has another key for %s', (_, binding) => {
    const opener = new FrameOpener(primitives, clock, trafficKey(primitives, qkd(1), binding));
    const sealed = new FrameSealer(primitives, fresh(1)).seal(messageOf(1));
    expect(() => opener.open(sealed)).toThrow(expect.objectContaining({ code: 'frame-forged' }));
  });
});
