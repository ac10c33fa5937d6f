import { afterEach, describe, expect, it } from 'vitest';
import { LinkError } from '../../../daemon/link/link-error.ts';
import { SendQueue } from '../../../daemon/link/send-queue.ts';
import { QkdError } from '../../../daemon/qkd/qkd-error.ts';
import { ScriptedSource } from '../qkd/key-fixtures.ts';
import {
  LinkRoom,
  messageOf,
  numberOf,
  pay,
  payments,
  secretOf,
  turns,
  until,
  type LinkEnd,
} from './link-room.ts';

let room = new LinkRoom();
afterEach(async () => {
  await room.close();
  room = new LinkRoom();
});

async function words(end: LinkEnd, from: number, to: number) {
  const numbers = Array.from({ length: to - from + 1 }, (_, i) => from + i);
  const records = await end.links.protect(
    end.peer,
    numbers.map((number) => ({ message: messageOf(number) })),
  );
  return records.map((record, i) => ({ rowId: BigInt(from + i), record }));
}

/** A device that can be taken away. */
class AbsentSource extends ScriptedSource {
  isAway = false;

  override async fetch(ids: readonly string[]) {
    if (this.isAway) throw new QkdError('unavailable', 'the device is away');
    return super.fetch(ids);
  }
}

describe('a frame', () => {
  it('carries at most 64 records, all that were queued in one turn', async () => {
    const [q1, q2] = await room.linked({ suite: 'aes' });
    const rows = await payments(q1, 1, 150);
    const before = room.network.sent.length;
    for (const row of rows) q1.links.send(q1.peer, [row]);
    await until(() => q2.rows.length === 150);
    expect(q2.batches).toEqual([64, 64, 22]);
    const frames = room.network.sent.slice(before).filter(({ from }) => from === 'q1');
    expect(frames).toHaveLength(3);
  });

  it('stays within its bounds in bytes, whatever is queued', async () => {
    const [q1, q2] = await room.linked({ suite: 'aes' });
    const crl = new Uint8Array(400_000).fill(5);
    const rows = await payments(q1, 1, 64, 30_000);
    q1.links.send(q1.peer, rows);
    for (let i = 0; i < 3; i++) q1.links.tell(q1.peer, { kind: 'crl', content: crl });
    await until(() => q2.rows.length === 64 && q2.told.length === 3);
    for (const { bytes } of room.network.sent) expect(bytes.length).toBeLessThanOrEqual(1_048_576);
  });
});

describe('receipts and their like', () => {
  it('go ahead of payments that wait', async () => {
    const [q1, q2] = await room.linked({ suite: 'aes' });
    const receipts = await words(q1, 1_001, 1_003);
    q1.links.send(q1.peer, await payments(q1, 1, 200));
    q1.links.send(q1.peer, receipts);
    await until(() => q2.rows.length === 203);
    expect(q2.rows.slice(0, 3).map(numberOf)).toEqual([1_001, 1_002, 1_003]);
    expect(q2.rows.slice(3).map(numberOf)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1));
  });
});

describe('receipts and their like, where payments before them wait for their keys', () => {
  it('are received and confirmed, in their order', async () => {
    const source = new AbsentSource(100, room.handedOut);
    const [q1, q2] = await room.linked({}, {}, { source });
    source.isAway = true;
    expect(await pay(q1, 1, 3)).toBe(true);
    await turns(20);
    q1.links.send(q1.peer, [...(await words(q1, 1_001, 1_002)), ...(await payments(q1, 4, 4))]);
    q1.links.send(q1.peer, await words(q1, 1_003, 1_003));
    await until(() => q1.confirmed.length === 3);
    expect(q2.rows.map(numberOf)).toEqual([1_001, 1_002, 1_003]);
    expect(q1.confirmed).toEqual([1_001n, 1_002n, 1_003n]);
    source.isAway = false;
    await room.pass(20_000);
    await until(() => q1.confirmed.length === 7);
    expect(q2.rows.slice(3).map(numberOf)).toEqual([1, 2, 3, 4]);
  });
});

describe('back-pressure', () => {
  it('refuses rows beyond the bound while the socket is full, and loses none', async () => {
    const [q1, q2] = await room.linked({ suite: 'aes' });
    room.network.bufferedBytes = 2_000_000;
    const rows = await payments(q1, 1, 5_000);
    let taken = 0;
    while (taken < rows.length && q1.links.send(q1.peer, rows.slice(taken, taken + 100))) {
      taken += 100;
    }
    expect(taken).toBe(4_096 - (4_096 % 100));
    await room.pass(1_000);
    expect(q2.rows).toEqual([]);
    room.network.bufferedBytes = 0;
    await room.pass(1_000);
    await until(() => q1.confirmed.length === taken);
    expect(q2.rows.map(numberOf)).toEqual(Array.from({ length: taken }, (_, i) => i + 1));
    expect(q1.links.send(q1.peer, rows.slice(taken))).toBe(true);
    await until(() => q1.confirmed.length === 5_000);
  });

  it('refuses rows beyond the bound in bytes, however few they are', async () => {
    const [q1, q2] = await room.linked({ suite: 'aes' });
    room.network.bufferedBytes = 2_000_000;
    const rows = await payments(q1, 1, 600, 30_000);
    let taken = 0;
    while (taken < rows.length && q1.links.send(q1.peer, rows.slice(taken, taken + 10))) {
      taken += 10;
    }
    expect(taken).toBeGreaterThan(500);
    expect(taken * 30_000).toBeLessThanOrEqual(16 * 1_048_576);
    room.network.bufferedBytes = 0;
    await room.pass(1_000);
    await until(() => q2.rows.length === taken);
  });

  it('refuses to be told more than a bound, and an empty queue takes any batch', async () => {
    const [q1, q2] = await room.linked({ suite: 'aes' });
    room.network.bufferedBytes = 2_000_000;
    let told = 0;
    while (q1.links.tell(q1.peer, { kind: 'crl', content: messageOf(told) })) told++;
    expect(told).toBe(1_024);
    // Rows keep their room: a refusal is lifted by a confirmation, and none would come.
    expect(q1.links.send(q1.peer, await payments(q1, 1, 4_500))).toBe(true);
    room.network.bufferedBytes = 0;
    await room.pass(1_000);
    await until(() => q2.told.length === told && q2.rows.length === 4_500);
  });

  it('ends a link whose peer takes no confirmations off it', async () => {
    const [q1, q2] = await room.linked({ suite: 'aes' });
    room.network.bufferedBytes = 2_000_000;
    room.network.stuck = 'q2';
    const rowIds = Array.from({ length: 1_000 }, (_, i) => BigInt(i));
    for (let i = 0; i < 65; i++) {
      q2.links.confirm(q2.peer, rowIds);
      await room.pass(10);
    }
    expect([...q1.changes, ...q2.changes]).toEqual(['up q1', 'up q2'].reverse());
    q2.links.confirm(q2.peer, rowIds);
    await room.pass(10);
    expect(q2.changes).toEqual(['up q1', 'down q1']);
    expect(q2.log.at(-1)?.detail).toMatchObject({ code: 'peer-out-of-bounds' });
  });

  it('ends a link whose peer sends more than it carries while the device is away', async () => {
    const source = new AbsentSource(10, room.handedOut);
    const [q1, q2] = await room.linked({ stock: 10_000 }, {}, { source });
    source.isAway = true;
    const rows = await payments(q1, 1, 2_300, 30_000);
    for (let sent = 0; sent < rows.length; sent += 100) {
      if (sent === 2_200) expect(q2.changes).toEqual(['up q1']);
      expect(q1.links.send(q1.peer, rows.slice(sent, sent + 100))).toBe(true);
      await turns(20);
    }
    await until(() => q2.log.length > 1);
    expect(q2.log.at(-1)?.detail).toMatchObject({ code: 'peer-out-of-bounds' });
  });

  it('takes no more words of the link itself than a peer that reads can cause', () => {
    const queue = new SendQueue();
    let queued = 0;
    while (queue.addOwn(Uint8Array.of(0x6a, 0))) queued++;
    expect(queued).toBe(16_384);
    queue.nextFrame(64);
    expect(queue.addOwn(Uint8Array.of(0x6a, 0))).toBe(true);
  });

  it('refuses a message that no record can hold', async () => {
    const [q1] = await room.linked();
    await expect(
      q1.links.protect(q1.peer, [{ message: new Uint8Array(32_769) }]),
    ).rejects.toMatchObject({ code: 'too-long' });
    const tooLong = { kind: 'crl', content: new Uint8Array(600_000) } as const;
    expect(() => q1.links.tell(q1.peer, tooLong)).toThrow();
  });
});

describe('a payment whose keys are not there', () => {
  it('waits; the status says since when and how many bits; nothing weaker is sent', async () => {
    const [q1, q2] = await room.linked({}, { stock: 3 });
    const sinceMs = room.clock.nowMs();
    const paid = pay(q1, 1, 3);
    await room.pass(5_000);
    expect(q1.links.status(q1.peer)).toMatchObject({
      state: 'waiting-for-keys',
      sinceMs,
      missingBits: 4n * 256n,
    });
    expect(q2.rows).toEqual([]);
    q1.source.refill(10);
    await room.pass(2_000);
    await paid;
    await until(() => q1.outbox.size === 0);
    expect(q2.rows.map(({ secret }) => secret)).toEqual([1, 2, 3].map(secretOf));
    expect(q1.state()).toBe('up');
    expect(q1.changes).toEqual(['up q2']);
  });

  it('is given up on the caller’s signal', async () => {
    const [q1] = await room.linked({}, { stock: 1 });
    const patience = new AbortController();
    const message = messageOf(1);
    const paid = q1.links.protect(q1.peer, [{ message, secret: secretOf(1) }], patience.signal);
    await turns(5);
    patience.abort();
    await expect(paid).rejects.toBeInstanceOf(LinkError);
    await expect(paid).rejects.toMatchObject({ code: 'aborted', retryable: false });
  });

  it('waits with any number of others, and Node warns of no leak', async () => {
    const warnings: Error[] = [];
    const hear = (warning: Error): void => {
      warnings.push(warning);
    };
    process.on('warning', hear);
    const source = new AbsentSource(100, room.handedOut);
    const [q1, q2] = await room.linked({}, { stock: 60 }, { source });
    source.isAway = true;
    for (let number = 1; number <= 20; number++) {
      await pay(q1, number, number);
      await turns(5);
    }
    // And as many that have no keys at all.
    const numbers = Array.from({ length: 20 }, (_, i) => 101 + i);
    const waiting = Promise.allSettled(numbers.map((number) => pay(q1, number, number)));
    await turns(20);
    expect([q2.rows, warnings.map(({ message }) => message)]).toEqual([[], []]);
    process.off('warning', hear);
    await q1.links.close();
    await waiting;
  });

  it('is given up when the links close', async () => {
    const [q1] = await room.linked({}, { stock: 1 });
    const message = messageOf(1);
    const paid = q1.links.protect(q1.peer, [{ message, secret: secretOf(1) }]);
    const closed = q1.links.close();
    await expect(paid).rejects.toMatchObject({ code: 'aborted' });
    await closed;
    expect(room.clock.pending).toBeLessThan(10);
  });
});
