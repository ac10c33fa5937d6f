/** Devices that come back without what they had, or refuse one key as if they were away. */
import { afterEach, expect, it } from 'vitest';
import { announcedLinks, carriesPayments } from '../../../daemon/network/announced-links.ts';
import { QkdError } from '../../../daemon/qkd/qkd-error.ts';
import { balanced, ScriptedSource } from '../qkd/key-fixtures.ts';
import { LinkRoom, numberOf, pay, payments, turns, until } from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

/** Answers 503 where it is away, and always where one of certain keys is asked for. */
class TroubledSource extends ScriptedSource {
  isAway = false;
  readonly troubling = new Set<string>();

  override async status() {
    if (this.isAway) throw new QkdError('unavailable', 'the key manager answered 503');
    return super.status();
  }

  override async fetch(ids: readonly string[]) {
    if (this.isAway || ids.some((id) => this.troubling.has(id))) {
      throw new QkdError('unavailable', 'the key manager answered 503');
    }
    return super.fetch(ids);
  }
}

it('a link whose device was away, and came back without its keys, waits no more', async () => {
  const source = new TroubledSource(100, room.handedOut);
  const [q1, q2] = await room.linked({}, {}, { source });
  source.isAway = true;
  await pay(q1, 1, 2);
  await turns(20);
  expect(q2.state()).toBe('waiting-for-keys');
  room.handedOut.clear();
  source.isAway = false;
  await room.pass(20_000);
  await until(() => q1.outbox.size === 0);
  expect(q2.rows.map(numberOf)).toEqual([1, 2]);
  expect([q1.state(), q2.state()]).toEqual(['up', 'up']);
});

it.each(['otp-secret', 'otp'] as const)(
  'under %s a payment whose key the device refuses for ever holds up no other',
  async (suite) => {
    const source = new TroubledSource(10_000, room.handedOut);
    const [q1, q2] = await room.linked({ suite, stock: 10_000 }, {}, { source });
    await pay(q1, 1, 1);
    for (const [id, { direction }] of q1.ledger.used) {
      if (direction === 'send') source.troubling.add(id);
    }
    for (let number = 2; number <= 9; number++) {
      await room.pass(1_000);
      await pay(q1, number, number);
    }
    await room.pass(30_000);
    await until(() => q1.outbox.size === 0);
    expect(q2.rows.map(numberOf).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(q2.state()).toBe('up');
    expect(q1.changes).toEqual(['up q2']);
  },
);

it('also where it is alone: the link’s own next keys show that the device is there', async () => {
  const source = new TroubledSource(10_000, room.handedOut);
  const [q1, q2] = await room.linked({ rekeySeconds: 60 }, {}, { source });
  await pay(q1, 1, 1);
  for (const [id, { direction }] of q1.ledger.used) {
    if (direction === 'send') source.troubling.add(id);
  }
  await room.pass(400_000);
  expect(q2.rows.map(numberOf)).toEqual([1]);
  expect([q1.state(), q2.state()]).toEqual(['up', 'up']);
});

it('a device that starts anew, and answers 503 for all that it lost, is found out', async () => {
  const lost = new Set<string>();
  class ForgetfulSource extends TroubledSource {
    override async fetch(ids: readonly string[]) {
      for (const id of ids) if (lost.has(id)) this.troubling.add(id);
      return super.fetch(ids);
    }
  }
  const [one, other] = [0, 1].map(() => new ForgetfulSource(10_000, room.handedOut));
  if (one === undefined || other === undefined) throw new Error('two devices');
  const both = { capacityBits: 8_192, rekeySeconds: 120 };
  const [q1, q2] = await room.linked(both, { source: one }, { source: other });
  q1.reservoir.start();
  q2.reservoir.start();
  await turns(20);
  for (const id of room.handedOut.keys()) lost.add(id);
  await pay(q1, 1, 3);
  await pay(q2, 1, 3);
  await room.pass(3_600_000);
  expect([q1, q2].map(({ rows }) => rows.map(numberOf))).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ]);
  expect([q1.state(), q2.state()]).toEqual(['up', 'up']);
});

it('a payment that lacks one key of many leaves none of the others behind', async () => {
  const source = new TroubledSource(1_000, room.handedOut);
  source.keysPerFetch = 1;
  const [q1, q2] = await room.linked({ suite: 'otp' }, {}, { source });
  const rows = await payments(q1, 1, 1);
  const pads = [...q1.ledger.used].filter(([, { purpose }]) => purpose === 'pad');
  room.handedOut.delete(pads.at(-1)?.[0] ?? '');
  for (const { rowId, record } of rows) q1.outbox.set(rowId, record);
  q1.links.send(q1.peer, rows);
  await room.pass(30_000);
  expect(q2.rows.map(numberOf)).toEqual([1]);
  const lostBits = BigInt(256 * (pads.length - 1));
  expect(q2.reservoir.balance()).toMatchObject({ held: 0n, lost: lostBits });
  expect(balanced(q2.reservoir.balance())).toBe(true);
});

it('a link without a stock is said to carry payments, as long as keys come', async () => {
  const [q1] = await room.linked({ suite: 'otp', capacityBits: 0, stock: 100 });
  expect(announcedLinks(q1.links).map(carriesPayments)).toEqual([true]);
  const patience = new AbortController();
  const waits = q1.links.reserve(q1.peer, 8_000, patience.signal);
  await room.pass(1_000);
  expect(announcedLinks(q1.links).map(carriesPayments)).toEqual([false]);
  patience.abort();
  await expect(waits).rejects.toThrow('no QKD keys');
  q1.source.refill(1_000);
  await room.pass(20_000);
  expect(announcedLinks(q1.links).map(carriesPayments)).toEqual([true]);
});

it('while the device gives no key at all, none is taken for lost', async () => {
  const source = new TroubledSource(10_000, room.handedOut);
  const [q1, q2] = await room.linked({ suite: 'otp' }, {}, { source });
  source.isAway = true;
  for (let number = 1; number <= 9; number++) {
    await room.pass(10_000);
    await pay(q1, number, number);
  }
  await room.pass(1_800_000);
  const used = q1.ledger.used.size;
  source.isAway = false;
  await room.pass(30_000);
  await until(() => q1.outbox.size === 0);
  expect(q2.rows).toHaveLength(9);
  expect(q1.ledger.used.size).toBe(used);
});
