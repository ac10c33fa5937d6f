import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import type { InFlight } from './memory-sockets.ts';
import { LinkRoom, numberOf, pay, secretOf, turns, until, type LinkEnd } from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

type Meddling = (message: InFlight) => readonly Uint8Array[];

/** Meddles with one message from `from`, once the link is up; counted from there. */
function meddleOnce(at: number, how: Meddling, from = 'q1'): () => boolean {
  let seen = 0;
  let done = false;
  room.network.adversary = (message) => {
    if (done || message.from !== from || seen++ !== at) return [message.bytes];
    done = true;
    return how(message);
  };
  return () => done;
}

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const flipped = bytes.slice();
  const at = bit % (8 * bytes.length);
  flipped[at >> 3] = (flipped[at >> 3] as number) ^ (1 << (at & 7));
  return flipped;
}

/** Everything arrives in the end, unchanged, and the fault was reported once at the hop. */
async function recovers(q1: LinkEnd, q2: LinkEnd, count: number, codes: RegExp): Promise<void> {
  await turns(60);
  await room.pass(5_000);
  await until(() => q1.outbox.size === 0);
  expect(new Set(q2.rows.map(numberOf))).toEqual(
    new Set(Array.from({ length: count }, (_, i) => i + 1)),
  );
  for (const row of q2.rows) expect(row.secret).toEqual(secretOf(numberOf(row)));
  const reports = q2.log.filter(({ level }) => level === 'warn');
  expect(reports).toHaveLength(1);
  expect(reports[0]?.detail['code']).toMatch(codes);
  expect(q1.state()).toBe('up');
  expect(q2.state()).toBe('up');
}

describe.each(['aes', 'otp-secret', 'otp'] as const)('under %s', (suite) => {
  it('a flipped bit anywhere in a frame is found, reported once, and mended', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (bit) => {
        const [q1, q2] = await room.linked({ suite });
        const done = meddleOnce(1, ({ bytes }) => [flip(bytes, bit)]);
        await pay(q1, 1, 2);
        await until(() => q2.rows.length === 2);
        await pay(q1, 3, 5);
        await until(done);
        await recovers(q1, q2, 5, /^frame-forged$/);
        await room.close();
        room = new LinkRoom();
      }),
      { numRuns: 25 },
    );
  });

  it.each([
    ['replayed', /^frame-replayed$/, ({ bytes }) => [bytes, bytes]],
    ['truncated', /^frame-(?:forged|malformed)$/, ({ bytes }) => [bytes.subarray(0, -1)]],
    ['cut to nothing', /^frame-malformed$/, () => [new Uint8Array(0)]],
    ['lengthened', /^frame-forged$/, ({ bytes }) => [Uint8Array.of(...bytes, 0)]],
  ] satisfies [string, RegExp, Meddling][])('a frame %s', async (_, codes, how) => {
    const [q1, q2] = await room.linked({ suite });
    const done = meddleOnce(0, how);
    await pay(q1, 1, 3);
    await until(done);
    await recovers(q1, q2, 3, codes);
  });

  it('frames in another order', async () => {
    const [q1, q2] = await room.linked({ suite });
    let held: Uint8Array | undefined;
    let swapped = false;
    room.network.adversary = ({ from, bytes }) => {
      if (from !== 'q1' || swapped) return [bytes];
      if (held === undefined) {
        held = bytes;
        return [];
      }
      swapped = true;
      return [bytes, held];
    };
    await pay(q1, 1, 2);
    await turns(3);
    await pay(q1, 3, 4);
    await until(() => swapped);
    await recovers(q1, q2, 4, /^frame-out-of-order$/);
  });

  it('a frame that was dropped', async () => {
    const [q1, q2] = await room.linked({ suite });
    const done = meddleOnce(0, () => []);
    await pay(q1, 1, 2);
    await until(done);
    await pay(q1, 3, 3);
    await recovers(q1, q2, 3, /^frame-out-of-order$/);
  });

  it('a frame of an earlier connection', async () => {
    const [q1, q2] = await room.linked({ suite });
    await pay(q1, 1, 2);
    await until(() => q1.outbox.size === 0);
    const old = room.network.sent.findLast(({ from }) => from === 'q1');
    room.network.cut();
    await room.pass(1_000);
    await until(() => q1.state() === 'up' && q2.state() === 'up');
    const done = meddleOnce(0, ({ bytes }) => [old?.bytes ?? bytes]);
    await pay(q1, 3, 3);
    await until(done);
    await turns(60);
    await room.pass(5_000);
    await until(() => q1.outbox.size === 0);
    expect(q2.log.filter(({ detail }) => detail['code'] === 'frame-forged')).toHaveLength(1);
    expect(q2.rows.map(numberOf)).toEqual([1, 2, 3]);
  });
});

describe('a stale acknowledgement', () => {
  /** The last frame from q2 so far: the confirmation of all that it has received. */
  function lastConfirmation(): Uint8Array {
    const frame = room.network.sent.findLast(({ from }) => from === 'q2');
    if (frame === undefined) throw new Error('nothing was confirmed');
    return frame.bytes;
  }

  it.each([
    ['of this connection', false, 'frame-replayed'],
    ['of an earlier one', true, 'frame-forged'],
  ])('%s confirms nothing, and is reported once', async (_, isOfEarlier, code) => {
    const [q1, q2] = await room.linked();
    await pay(q1, 1, 2);
    await until(() => q1.outbox.size === 0);
    const stale = lastConfirmation();
    if (isOfEarlier) {
      room.network.cut();
      await room.pass(1_000);
      await until(() => q1.state() === 'up' && q2.state() === 'up');
    }
    const changes = q1.changes.length;
    const done = meddleOnce(0, () => [stale], 'q2');
    await pay(q1, 3, 3);
    await until(done);
    await until(() => q1.changes.length > changes);
    expect(q1.confirmed).toEqual([1n, 2n]);
    expect([...q1.outbox.keys()]).toEqual([3n]);
    await room.pass(5_000);
    await until(() => q1.outbox.size === 0);
    expect(q2.rows.map(numberOf)).toEqual([1, 2, 3]);
    const reports = [...q1.log, ...q2.log].filter(({ level }) => level === 'warn');
    expect(reports.map(({ detail }) => detail['code'])).toEqual([code]);
  });

  it('of rows that were never sent is ignored by the outbox', async () => {
    const [q1, q2] = await room.linked();
    q2.links.confirm(q2.peer, [77n]);
    await pay(q1, 1, 1);
    await until(() => q1.outbox.size === 0);
    expect(q1.state()).toBe('up');
  });
});

describe('the handshake', () => {
  it('with a bit flipped in any message: no link comes of it, and the next one does', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(5), fc.nat(), async (which, bit) => {
        let count = 0;
        let hit = false;
        room.network.adversary = ({ bytes }) => {
          if (count++ !== which) return [bytes];
          hit = true;
          return [flip(bytes, bit)];
        };
        const [q1, q2] = await room.pair();
        await until(() => hit);
        await room.pass(45_000);
        expect([q1.state(), q2.state()]).toEqual(['up', 'up']);
        expect([...q1.log, ...q2.log].some(({ level }) => level === 'warn')).toBe(true);
        await room.close();
        room = new LinkRoom();
      }),
      { numRuns: 60 },
    );
  });
});

describe('an oversized frame', () => {
  it('is refused by the socket, and the link recovers', async () => {
    const [q1, q2] = await room.linked();
    const done = meddleOnce(0, () => [new Uint8Array(1_048_577)]);
    await pay(q1, 1, 1);
    await until(done);
    await turns(60);
    await room.pass(5_000);
    await until(() => q1.outbox.size === 0);
    expect(q2.rows.map(numberOf)).toEqual([1]);
    expect(q2.changes).toEqual(['up q1', 'down q1', 'up q1']);
  });
});
