/** Under `otp` a word needs keys, and one that had none in time waits for them (`Links.keep`). */
import { afterEach, expect, it } from 'vitest';
import { decodeFrame } from '../../../daemon/link/frame-item.ts';
import { linkRecord } from '../../../daemon/link/link-record.ts';
import type { Primitives } from '../../../applet-spec/primitives.ts';
import { LinkRoom, messageOf, numberOf, primitives, turns, until } from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

/** The suites of the records that a station seals. */
function watched(suites: Set<string>): Primitives {
  return {
    ...primitives,
    aesGcmSeal(sealingKey, nonce, plaintext, associatedData) {
      for (const item of decodeFrame(plaintext)) {
        if (item.kind === 'row') suites.add(linkRecord.decode(item.content.record).kind);
      }
      return primitives.aesGcmSeal(sealingKey, nonce, plaintext, associatedData);
    },
  };
}

/** 600 bytes and a little in whole keys of 256 bits, and the MAC key. */
const keysAWord = 20;

it('goes out alone, as soon as there are keys for it, under the suite of its link', async () => {
  const suites = new Set<string>();
  const [q1, q2] = await room.linked({ suite: 'otp' }, { primitives: watched(suites), stock: 1 });
  const rows = [1, 2, 3].map((number) => ({
    rowId: BigInt(number),
    record: q1.links.keep(messageOf(number, 600)),
  }));
  for (const { rowId, record } of rows) q1.outbox.set(rowId, record);
  expect(q1.links.send(q1.peer, rows)).toBe(true);
  await room.pass(3_000);
  expect(q2.rows).toEqual([]);
  expect(q1.links.status(q1.peer)).toMatchObject({
    state: 'waiting-for-keys',
    missingBits: BigInt(3 * 256 * keysAWord),
    waiting: { link: 0, word: 3, payment: 0 },
  });
  q1.source.refill(keysAWord);
  await room.pass(3_000);
  expect(q2.rows.map(numberOf)).toEqual([1]);
  q1.source.refill(2 * keysAWord);
  await room.pass(3_000);
  await until(() => q1.outbox.size === 0);
  expect(q2.rows.map(numberOf)).toEqual([1, 2, 3]);
  expect([...suites]).toEqual(['otp']);
  expect(q1.links.status(q1.peer)).toMatchObject({ state: 'up', missingBits: 0n });
  const used = [...q1.ledger.used.values()].filter(({ direction }) => direction === 'send');
  expect(used.filter(({ purpose }) => purpose !== 'traffic')).toHaveLength(3 * keysAWord);
});

it('and does so after another connection, also of another program', async () => {
  const [q1, q2] = await room.linked({ suite: 'otp' }, { stock: 1 });
  const record = q1.links.keep(messageOf(1, 600));
  q1.outbox.set(1n, record);
  q1.links.send(q1.peer, [{ rowId: 1n, record }]);
  await turns(20);
  await q1.close();
  const again = await room.open('q1', { peer: 'q2', dials: true, suite: 'otp', stock: 1 });
  again.outbox.set(1n, record);
  await room.pass(10_000);
  expect(again.state()).toBe('waiting-for-keys');
  again.source.refill(keysAWord);
  await room.pass(3_000);
  await until(() => again.outbox.size === 0);
  expect(q2.rows.map(numberOf)).toEqual([1]);
});

it('is no word that a link could not send', async () => {
  const [q1] = await room.linked({ suite: 'otp' });
  expect(() => q1.links.keep(new Uint8Array(40_000))).toThrow('a message of 40000 bytes');
});
