/** What a neighbour costs in keys whose links never last: each connection takes two. */
import { afterEach, expect, it } from 'vitest';
import { LinkRoom, pay, turns, until, type LinkEnd } from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

const stock = 10_000;

/** Keys that were drawn or fetched here. */
function usedKeys({ ledger }: LinkEnd): number {
  return ledger.used.size;
}

/** Behind the proof, with which a link comes up, no frame from this end verifies. */
function spoilEveryLink(from: string): void {
  const begun = new Set<number>();
  room.network.adversary = (message) => {
    const { bytes, connection } = message;
    if (message.from !== from || bytes[0] !== 0) return [bytes];
    if (begun.has(connection)) return [bytes.with(-1, 255 - (bytes.at(-1) ?? 0))];
    begun.add(connection);
    return [bytes];
  };
}

it.each([
  ['dials', 0],
  ['is dialled', 1],
] as const)(
  'one that %s and whose frames never verify: two keys in 30 seconds',
  async (_, wrong) => {
    spoilEveryLink(wrong === 0 ? 'q1' : 'q2');
    const ends = await room.pair({ stock });
    await until(() => ends[wrong].state() === 'up');
    await pay(ends[wrong], 1, 1);
    await room.pass(600_000);
    const before = ends.map(usedKeys);
    await room.pass(3_600_000);
    for (const [i, end] of ends.entries()) {
      const used = usedKeys(end) - (before[i] ?? 0);
      expect(used).toBeGreaterThan(0);
      expect(used).toBeLessThanOrEqual(2 * 120);
    }
  },
);

it('one that starts each second: two keys in 30 seconds, and a link once it stays', async () => {
  const listener = await room.open('q2', { peer: 'q1', stock });
  const open = () => room.open('q1', { peer: 'q2', dials: true, stock });
  for (let i = 0; i < 300; i++) {
    const dialler = await open();
    await turns(30);
    room.clock.advance(900);
    await dialler.close();
    room.clock.advance(100);
  }
  // As many at first as an hour has, and ten in the five minutes.
  expect(usedKeys(listener)).toBeLessThanOrEqual(2 * (120 + 10) + 1);
  const dialler = await open();
  await until(() => dialler.log.length > 0);
  const why = 'q2 refused: q1 connects too often, and each time takes two QKD keys';
  expect(dialler.links.status(dialler.peer)?.detail).toBe(why);
  await room.pass(60_000);
  expect([dialler.state(), listener.state()]).toEqual(['up', 'up']);
});
