import { afterEach, describe, expect, it } from 'vitest';
import { QkdError } from '../../../daemon/qkd/qkd-error.ts';
import { ScriptedSource } from '../qkd/key-fixtures.ts';
import { LinkRoom, numberOf, pay, turns, until, type LinkEnd } from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

function warnings(end: LinkEnd) {
  return end.log.filter(({ level }) => level === 'warn');
}

function drawnKeys(end: LinkEnd): number {
  return [...end.ledger.used.values()].filter(({ direction }) => direction === 'send').length;
}

/** Who dialled the connections over which anything was sealed. */
function dialled(): string[] {
  const sealed = room.network.sent.filter(({ bytes }) => bytes[0] === 0);
  const connections = new Set(sealed.map(({ connection }) => connection));
  return [...connections].map(
    (one) => room.network.sent.find(({ connection }) => connection === one)?.from ?? '',
  );
}

/** A device that has forgotten the keys of its first fetches. */
class ForgetfulSource extends ScriptedSource {
  forgets = 2;

  override async fetch(ids: readonly string[]) {
    if (this.forgets-- > 0) throw new QkdError('not-found', 'no such key', { keyIds: ids });
    return super.fetch(ids);
  }
}

describe('both ends dial', () => {
  it('at once: the connection of the smaller name survives, and the only one', async () => {
    const q1 = await room.open('q1', { peer: 'q2', dials: true });
    const q2 = await room.open('q2', { peer: 'q1', dials: true });
    await until(() => q1.state() === 'up' && q2.state() === 'up');
    await room.pass(60_000);
    expect([q1.changes, q2.changes]).toEqual([['up q2'], ['up q1']]);
    expect(dialled()).toEqual(['q1']);
    expect([...warnings(q1), ...warnings(q2)]).toEqual([]);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15])(
    'with q1 %i turns behind: one link comes up, and stays',
    async (behind) => {
      const q2 = await room.open('q2', { peer: 'q1', dials: true });
      await turns(behind);
      const q1 = await room.open('q1', { peer: 'q2', dials: true });
      await room.pass(1_000);
      await until(() => q1.state() === 'up' && q2.state() === 'up');
      await pay(q1, 1, 1);
      await pay(q2, 1, 1);
      await until(() => q1.confirmed.length === 1 && q2.confirmed.length === 1);
      const { length } = q1.changes;
      await room.pass(60_000);
      expect(q1.changes).toHaveLength(length);
      expect([...warnings(q1), ...warnings(q2)]).toEqual([]);
    },
  );
});

describe('a connection that is cut', () => {
  it('is made anew, after pauses that grow, and what was not confirmed is sent again', async () => {
    const [q1, q2] = await room.linked();
    q2.confirms = false;
    await pay(q1, 1, 2);
    await until(() => q2.rows.length === 2);
    room.network.refuseConnections = true;
    room.network.cut();
    await until(() => q1.state() === 'down' && q2.state() === 'down');
    q2.confirms = true;
    await pay(q1, 3, 3);
    await room.pass(120_000);
    room.network.refuseConnections = false;
    await room.pass(45_000);
    await until(() => q1.confirmed.length === 3);
    expect(q2.rows.map(numberOf).sort()).toEqual([1, 1, 2, 2, 3]);
    expect(q1.outbox.size).toBe(0);
    expect(q1.changes).toEqual(['up q2', 'down q2', 'up q2']);
    // One line for the cut, one for the outage, and not one for each attempt.
    expect(q1.log.length).toBeLessThanOrEqual(4);
  });

  it('takes the place of one whose end the other has not noticed', async () => {
    const [q1, q2] = await room.linked();
    // q1 is gone without a word: a process that was killed, its connection still open here.
    const again = await room.open('q1', { peer: 'q2', dials: true, ledger: q1.ledger });
    await until(() => again.state() === 'up');
    await pay(again, 1, 1);
    await until(() => again.confirmed.length === 1);
    expect(q2.changes).toEqual(['up q1', 'down q1', 'up q1']);
  });
});

describe('QKD keys of a handshake', () => {
  it('that the peer’s device does not have are replaced, and the link comes up', async () => {
    const source = new ForgetfulSource(1_000, room.handedOut);
    const [q1, q2] = await room.pair({}, {}, { source });
    await until(() => warnings(q1).length > 0 && warnings(q2).length > 0);
    expect(warnings(q2)[0]?.detail).toMatchObject({ code: 'key-not-usable' });
    expect(warnings(q1)[0]?.detail['why']).toContain('q2 cannot use the QKD key');
    await room.pass(5_000);
    expect([q1.state(), q2.state()]).toEqual(['up', 'up']);
    expect(drawnKeys(q1)).toBe(3);
  });

  it('that the dialler lacks: it waits, says so, and dials when they are there', async () => {
    const [q1, q2] = await room.pair({}, { stock: 0 });
    await room.pass(2_000);
    expect(room.network.connections).toBe(0);
    const status = q1.links.status(q1.peer);
    expect(status).toMatchObject({ state: 'waiting-for-keys', missingBits: 256n });
    expect(status?.sinceMs).toBeLessThan(room.clock.nowMs());
    expect(q2.state()).toBe('down');
    q1.source.refill(10);
    await room.pass(20_000);
    expect([q1.state(), q2.state()]).toEqual(['up', 'up']);
  });

  it('that the listener lacks: both say so, and it comes up when they are there', async () => {
    const [q1, q2] = await room.pair({}, {}, { stock: 0 });
    await room.pass(10_000);
    expect(q2.links.status(q2.peer)).toMatchObject({ state: 'waiting-for-keys' });
    expect(q1.links.status(q1.peer)?.detail).toBe('q2 refused: q2 has no QKD keys for q1 now');
    expect(drawnKeys(q1)).toBe(1);
    q2.source.refill(10);
    await room.pass(60_000);
    expect([q1.state(), q2.state()]).toEqual(['up', 'up']);
    expect(drawnKeys(q1)).toBe(1);
  });
});
