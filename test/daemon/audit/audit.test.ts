import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toHex } from '../../../applet-spec/bytes.ts';
import type { Item } from '../../../daemon/audit/itemised-bill.ts';
import { eventfulHistory, type History } from './eventful-history.ts';
import { alice, TollRoom } from './toll-room.ts';

let history: History;
beforeAll(async () => {
  history = await eventfulHistory();
});
afterAll(() => history.room.close());

describe('an audit', () => {
  it.each(['q1', 'q2', 'q3'])('finds nothing in the sound books of %s', async (name) => {
    const report = await history.room.audit(name);
    expect(report.findings).toEqual([]);
    expect(report.trialBalance).toBe(0n);
  });

  it('knows cash that was booked under a reference of no words', async () => {
    const room = await TollRoom.open([5n, 4n, 3n]);
    try {
      const { store } = room.station('q1');
      await store.topUp(alice, 500n, '', room.nowMs);
      await store.payOut(alice, 200n, '', room.nowMs);
      expect((await room.audit('q1')).findings).toEqual([]);
    } finally {
      await room.close();
    }
  });

  it('itemises the used coins that a station issued', async () => {
    const { issued, payments } = await history.room.audit('q1');
    expect(payments).toBe(10);
    expect(issued).toMatchObject({
      payments: 9,
      delivered: 4,
      earned: '20',
      owed: '28',
      coins: {
        spent: { count: 3, value: '36' },
        refunded: { count: 1, value: '10' },
        exchanged: { count: 1, value: '20' },
        expired: { count: 1, value: '12' },
        pending: { count: 1, value: '12' },
        burned: { count: 5, value: '60' },
      },
    });
  });

  it('itemises the relays that a station performed, by issuer and by month', async () => {
    const { relayed, byPeer, byPeriod } = await history.room.audit('q2');
    expect(relayed).toEqual({ payments: 9, delivered: 5, earned: '20', owed: '0' });
    expect(byPeer).toEqual({
      q1: { payments: 8, delivered: 4, earned: '16', owed: '0' },
      q3: { payments: 1, delivered: 1, earned: '4', owed: '0' },
    });
    expect(byPeriod).toEqual({ '2026-07': relayed });
  });

  it('itemises what each station charged, whoever owes it', async () => {
    const { byStation, issued, relayed } = await history.room.audit('q2');
    expect(byStation).toEqual({
      q1: { payments: 9, delivered: 5, fees: '25' },
      q2: { payments: 9, delivered: 5, fees: '20' },
      q3: { payments: 9, delivered: 5, fees: '15' },
    });
    expect(issued.earned).toBe('0');
    expect(relayed.earned).toBe('20');
  });

  it('itemises single payments, and only those asked for', async () => {
    const { room, returned, settled } = history;
    const items: Item[] = [];
    const itemised = async (filter: object): Promise<string[]> => {
      items.length = 0;
      const report = await room.audit('q1', undefined, {
        filter,
        onItem: (item) => items.push(item),
      });
      expect(report.payments).toBe(items.length);
      return items.map(({ paymentId }) => paymentId);
    };
    expect(await itemised({ user: 'bob@q1' })).toEqual([toHex(returned.paymentId)]);
    expect(await itemised({ user: alice })).toHaveLength(9);
    expect(await itemised({ station: 'q2' })).toHaveLength(10);
    expect(await itemised({ station: 'q9' })).toEqual([]);
    expect(await itemised({ relay: 'q2' })).toHaveLength(10);
    expect(await itemised({ relay: 'q3' })).toEqual([]);
    expect(await itemised({ peer: 'q2' })).toHaveLength(9);
    expect(await itemised({ peer: 'q3' })).toHaveLength(10);
    expect(await itemised({ peer: 'q1' })).toEqual([]);
    expect(await itemised({ to: settled.quote.time - 1n })).toEqual([]);
    expect(await itemised({ from: settled.quote.time, to: settled.quote.time })).not.toEqual([]);
    const [first] = items;
    expect(first).toMatchObject({
      role: 'issuer',
      state: 'delivered',
      value: '12',
      fee: '5',
      bill: [
        { station: 'q1', fee: '5' },
        { station: 'q2', fee: '4' },
        { station: 'q3', fee: '3' },
      ],
    });
  });
});
