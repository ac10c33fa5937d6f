import { afterEach, expect, it } from 'vitest';
import { QkdError } from '../../../daemon/qkd/qkd-error.ts';
import { ScriptedSource } from '../qkd/key-fixtures.ts';
import { LinkRoom, pay } from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

/** Two key managers of which each has the other's keys only a while after they were drawn. */
class LateSource extends ScriptedSource {
  readonly #drawnAtMs: Map<string, number>;
  readonly #lateMs: number;

  constructor(lateMs: number, drawnAtMs: Map<string, number>) {
    super(10_000, room.handedOut);
    this.#lateMs = lateMs;
    this.#drawnAtMs = drawnAtMs;
  }

  override async draw(count: number, sizeBits: number) {
    const keys = await super.draw(count, sizeBits);
    for (const { id } of keys) this.#drawnAtMs.set(id, room.clock.nowMs());
    return keys;
  }

  override async fetch(ids: readonly string[]) {
    const soonMs = room.clock.nowMs() - this.#lateMs;
    const early = ids.filter((id) => (this.#drawnAtMs.get(id) ?? 0) > soonMs);
    if (early.length === 0) return super.fetch(ids);
    throw new QkdError('not-found', 'no such key yet', { keyIds: early });
  }
}

it.each([1_000, 10_000])('a link whose keys come %i ms late comes up, and pays', async (lateMs) => {
  const drawnAtMs = new Map<string, number>();
  const [one, other] = [new LateSource(lateMs, drawnAtMs), new LateSource(lateMs, drawnAtMs)];
  const both = { capacityBits: 8_192 };
  const [q1, q2] = await room.pair(both, { source: one }, { source: other });
  await room.pass(600_000);
  expect([q1.state(), q2.state()]).toEqual(['up', 'up']);
  await pay(q1, 1, 3);
  await pay(q2, 1, 3);
  await room.pass(60_000);
  expect([q1.outbox.size, q2.outbox.size]).toEqual([0, 0]);
});

it('a link whose keys never come gives up its stock ever more rarely', async () => {
  const drawnAtMs = new Map<string, number>();
  const source = new LateSource(Number.POSITIVE_INFINITY, drawnAtMs);
  const [q1] = await room.pair({ capacityBits: 8_192 }, {}, { source });
  await room.pass(6 * 3_600_000);
  // 32 keys each time: after 3 misses, 12, 48 and 192 of them, and as many while on demand.
  expect(q1.reservoir.balance().lost).toBeLessThanOrEqual(5n * 8_192n);
  expect(q1.state()).toBe('down');
});
