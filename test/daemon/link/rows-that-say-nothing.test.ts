/** Failure 46 at the link: a row that nobody understands costs no other row, and no connection. */
import { afterEach, expect, it } from 'vitest';
import { toUtf8 } from '../../../applet-spec/bytes.ts';
import type { Suite } from '../../../applet-spec/names.ts';
import { outboxRecord } from '../../../daemon/link/link-record.ts';
import {
  LinkRoom,
  numberOf,
  payments,
  primitives,
  secretOf,
  until,
  type LinkEnd,
} from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

const suites: readonly Suite[] = ['aes', 'otp-secret', 'otp'];
const nonsense = toUtf8('what a later program would say');

/** The first and the last row say something; `rowId` 2 does not. */
async function send(q1: LinkEnd, record: Uint8Array | undefined): Promise<void> {
  const [first, , last] = await payments(q1, 1, 3);
  if (first === undefined || last === undefined || record === undefined) throw new Error('none');
  for (const row of [first, { rowId: 2n, record }, last]) q1.outbox.set(row.rowId, row.record);
  const rows = [...q1.outbox].map(([rowId, bytes]) => ({ rowId, record: bytes }));
  expect(q1.links.send(q1.peer, rows)).toBe(true);
}

async function others(q1: LinkEnd, q2: LinkEnd): Promise<void> {
  await until(() => q1.outbox.size === 1);
  expect(q2.rows.map(numberOf)).toEqual([1, 3]);
  expect([q1.state(), q2.state()]).toEqual(['up', 'up']);
  expect(q2.changes).toEqual(['up q1']);
}

it.each(suites)(
  'a message under %s that nobody understands is handed over as it is',
  async (suite) => {
    const [q1, q2] = await room.linked({ suite });
    const secret = secretOf(2);
    const [record] = await q1.links.protect(q1.peer, [{ message: nonsense, secret }]);
    await send(q1, record);
    await others(q1, q2);
    expect(q2.notUnderstood).toMatchObject([{ rowId: 2n, form: 'message', bytes: nonsense }]);
    await until(() => q1.log.some(({ message }) => message === 'understands not'));
    expect(q1.log.at(-1)?.detail).toEqual({ rows: '2' });
    q2.links.confirm(q2.peer, [2n]);
    await until(() => q1.outbox.size === 0);
  },
);

it('a record that nobody writes is handed over, too', async () => {
  const [q1, q2] = await room.linked({ suite: 'aes' });
  const wire = Uint8Array.of(0x61, 0x03, 0x80, 0x05, 0x00);
  await send(q1, outboxRecord.encode({ suite: 'aes', carries: 'word', wire }));
  await others(q1, q2);
  expect(q2.notUnderstood).toMatchObject([{ rowId: 2n, form: 'record', bytes: wire }]);
});

it('comes again with each connection until it is confirmed', async () => {
  const [q1, q2] = await room.linked();
  const [record] = await q1.links.protect(q1.peer, [{ message: nonsense, secret: secretOf(2) }]);
  await send(q1, record);
  await others(q1, q2);
  for (const times of [2, 3]) {
    room.network.cut();
    await room.pass(1_000);
    await until(() => q2.notUnderstood.length === times);
  }
  const digests = q2.notUnderstood.map(({ bytes }) => primitives.sha256(bytes));
  expect(digests).toEqual([1, 2, 3].map(() => primitives.sha256(nonsense)));
  q2.links.confirm(q2.peer, [2n]);
  await until(() => q1.outbox.size === 0);
});
