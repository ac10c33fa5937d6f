/** What goes on while a neighbour confirms nothing: its device is away, or it is busy. */
import { beforeEach, expect, it } from 'vitest';
import { toStationName } from '../../../applet-spec/names.ts';
import type { OutboxRecord } from '../../../daemon/link/links.ts';
import { Outbox } from '../../../daemon/relay/outbox.ts';
import { StoreError } from '../../../daemon/store/store-error.ts';
import type { OutboxRow } from '../../../daemon/store/store.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';

const q3 = toStationName('q3');

let rows: OutboxRow[];
let sent: bigint[];
let isUp: boolean;
/** How often the rows were read. */
let reads: number;
/** What the store refuses once, and the operator read. */
let busy: Set<'outbox' | 'confirmOutbox'>;
let faults: unknown[];
let clock: VirtualClock;
let outbox: Outbox;
beforeEach(() => {
  [rows, sent, isUp, reads] = [[], [], true, 0];
  [busy, faults, clock] = [new Set(), [], new VirtualClock()];
  outbox = new Outbox({
    clock,
    links: {
      send: (_peer, records) => {
        if (isUp) sent.push(...records.map(({ rowId }) => rowId));
        return isUp;
      },
    },
    store: {
      outbox: (_peer, limit) => {
        if (busy.delete('outbox')) return Promise.reject(new StoreError('busy', 'held'));
        reads++;
        const ranked = [...rows].sort((a, b) => rank(a) - rank(b));
        return Promise.resolve(ranked.slice(0, limit));
      },
      confirmOutbox: (_peer, rowIds) => {
        if (busy.delete('confirmOutbox')) return Promise.reject(new StoreError('busy', 'held'));
        rows = rows.filter(({ rowId }) => !rowIds.includes(rowId));
        return Promise.resolve();
      },
    },
    onFault: (error) => {
      faults.push(error);
    },
  });
});

function rank({ carries }: OutboxRow): number {
  return carries === 'word' ? 0 : 1;
}

/** Rows `from` to `to` as they are committed. */
function commit(carries: OutboxRow['carries'], from: number, to: number): OutboxRecord[] {
  const made = Array.from({ length: to - from + 1 }, (_, i) => {
    const record = new Uint8Array(1);
    return { rowId: BigInt(from + i), peer: q3, carries, paymentId: new Uint8Array(32), record };
  });
  rows.push(...made);
  return made;
}

function pushed(carries: OutboxRow['carries'], from: number, to: number): void {
  outbox.push(q3, carries, commit(carries, from, to));
}

async function turns(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise(setImmediate);
}

/** The IDs `from` to `to`. */
function ids(from: number, to: number): bigint[] {
  return Array.from({ length: to - from + 1 }, (_, i) => BigInt(from + i));
}

it('words go on where as many payments are on their way as may be', async () => {
  outbox.linkUp(q3);
  await turns();
  for (let from = 1; from <= 2_000; from += 50) pushed('payment', from, from + 49);
  await turns();
  expect(sent.length).toBeLessThan(1_024);
  const before = sent.length;
  const readsBefore = reads;
  pushed('word', 5_001, 5_003);
  await turns();
  expect(sent.slice(before)).toEqual([5_001n, 5_002n, 5_003n]);
  // Without a look at the store for each: they came in order.
  expect(reads).toBe(readsBefore);
});

it('words that wait are sent before payments that do', async () => {
  isUp = false;
  pushed('payment', 1, 1_500);
  pushed('word', 5_001, 5_300);
  isUp = true;
  outbox.linkUp(q3);
  await turns();
  expect(sent.slice(0, 300)).toEqual(ids(5_001, 5_300));
  const payments = sent.slice(300);
  expect(payments).toEqual(ids(1, payments.length));
});

it('everything goes on as it is confirmed, and nothing twice', async () => {
  outbox.linkUp(q3);
  for (let from = 1; from <= 3_000; from += 60) {
    pushed('payment', from, from + 59);
    pushed('word', 10_000 + from, 10_000 + from + 19);
  }
  const confirmed: bigint[] = [];
  for (let i = 0; i < 100 && rows.length > 0; i++) {
    await turns();
    const some = sent.slice(confirmed.length, confirmed.length + 200);
    confirmed.push(...some);
    outbox.confirmed(q3, some);
  }
  await turns();
  expect(rows).toEqual([]);
  expect(sent).toHaveLength(4_000);
  expect(new Set(sent).size).toBe(4_000);
});

it('what was on its way goes again after a new connection', async () => {
  outbox.linkUp(q3);
  await turns();
  pushed('payment', 1, 900);
  pushed('word', 5_001, 5_100);
  await turns();
  const before = sent.length;
  outbox.linkDown(q3);
  outbox.linkUp(q3);
  await turns();
  expect(sent.slice(before, before + 100)).toEqual(ids(5_001, 5_100));
  outbox.confirmed(q3, sent.slice(before));
  await turns();
  outbox.confirmed(q3, sent.slice(before));
  await turns();
  expect(rows).toEqual([]);
});

it('a store that was busy as the link came up is read again by itself', async () => {
  isUp = false;
  pushed('word', 1, 3);
  isUp = true;
  busy.add('outbox');
  outbox.linkUp(q3);
  await turns();
  expect([sent, faults.length]).toEqual([[], 1]);
  clock.advance(5_000);
  await turns();
  expect(sent).toEqual(ids(1, 3));
  expect(clock.pending).toBe(0);
});

it('what a busy store did not take as confirmed is sent, and confirmed, once more', async () => {
  outbox.linkUp(q3);
  await turns();
  pushed('payment', 1, 3);
  busy.add('confirmOutbox');
  outbox.confirmed(q3, ids(1, 3));
  await turns();
  clock.advance(5_000);
  await turns();
  expect(sent).toEqual([...ids(1, 3), ...ids(1, 3)]);
  outbox.confirmed(q3, ids(1, 3));
  await turns();
  expect(rows).toEqual([]);
});

it('nothing is tried again once the link is down', async () => {
  isUp = false;
  pushed('word', 1, 3);
  isUp = true;
  busy.add('outbox');
  outbox.linkUp(q3);
  await turns();
  outbox.linkDown(q3);
  expect(clock.pending).toBe(0);
});
