/**
 * A station whose books were rebuilt (failure 37) has its payments back and not its windows: they
 * are settled again from what the peer keeps of them, with the same numbers and totals.
 */
import { copyFileSync, rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PaidPayment } from '../audit/toll-papers.ts';
import { TollRoom } from '../audit/toll-room.ts';
import { SettlementRoom } from './settlement-room.ts';

let room: SettlementRoom;

beforeEach(async () => {
  room = new SettlementRoom(await TollRoom.open([5n, 4n]));
});
afterEach(() => room.toll.close());

const there = ['q1', 'q2'] as const;
const back = ['q2', 'q1'] as const;

/** The station stops, its database is changed, and it starts again. */
async function stopped(name: string, change: (file: string) => void): Promise<void> {
  const { toll } = room;
  const station = toll.station(name);
  await station.store.close();
  change(station.file);
  const store = await toll.openStore(station.name, station.file);
  toll.stations.splice(toll.stations.indexOf(station), 1, { ...station, store });
  toll.stations.sort((a, b) => (a.name < b.name ? -1 : 1));
  await room.restart(name);
}

/** As a neighbour shows it: the payment is here again, with its verdict, and in no window. */
async function rebuild(name: string, paid: PaidPayment, route: readonly string[]): Promise<void> {
  const station = room.toll.station(name);
  const way = route.map((one) => room.toll.station(one));
  const place = route.indexOf(name);
  const { positionLimit: _any, outbox: _sent, ...made } = room.toll.newPayment(paid, way, place);
  const { body } = paid.coin;
  const shown = {
    expirySeconds: body.expiry,
    commitment: body.commitment,
    coin: paid.coin.bytes,
  };
  await station.store.restore([
    { ...made, nowMs: room.toll.nowMs, ...(made.role === 'issuer' && { shown }) },
  ]);
  await room.toll.hear(station, paid);
}

async function standing(name: string) {
  const { store } = room.toll.station(name);
  const peer = room.toll.station(name === 'q1' ? 'q2' : 'q1').name;
  const windows = await store.windows(peer, 0n, 10);
  return {
    owed: (await store.positions()).map(({ payable, receivable }) => [payable, receivable]),
    windows: windows.map(({ sequence, state, ours, theirs }) => [
      sequence,
      state,
      ours.amount,
      theirs.amount,
    ]),
  };
}

describe.each(['q1', 'q2'])('%s, which has lost two windows', (name) => {
  const other = name === 'q1' ? 'q2' : 'q1';

  /** One window before the copy; one with claims of both, and one of the other’s coins, after. */
  async function lose(): Promise<void> {
    await room.pay({ route: there });
    await room.at('q2').settle();
    await stopped(name, (file) => {
      copyFileSync(file, `${file}.old`);
    });
    const lost = [
      [await room.pay({ route: there }), there],
      [await room.pay({ route: back }), back],
    ] as const;
    await room.at('q1').settle();
    const more = [await room.pay({ route: back }), back] as const;
    await room.at('q1').settle();
    await stopped(name, (file) => {
      rmSync(`${file}-wal`, { force: true });
      rmSync(`${file}-shm`, { force: true });
      copyFileSync(`${file}.old`, file);
    });
    for (const [paid, route] of [...lost, more]) await rebuild(name, paid, route);
  }

  it('settles nothing while its books are not whole: totals of a closed window stand', async () => {
    await lose();
    const q2 = room.toll.station('q2').name;
    room.rolledBack = { witness: q2, cosigned: 9n, present: 3n };
    await room.restart(name);
    const before = await standing(name);
    const [outcome] = await room.at(name).settle();
    expect(outcome?.problem).toMatch(/records that q2 witnessed are lost; nothing is settled/);
    expect(await standing(name)).toEqual(before);
  });

  it.each([
    ['it', name],
    ['its peer', other],
  ])('settles them again where %s begins, and then what is new', async (_who, first) => {
    await lose();
    const before = await standing(other);
    await room.pay({ route: there });
    await room.at(first).settle();
    await room.at(name).settle();
    await room.at(other).settle();
    expect(await standing(name)).toMatchObject({ owed: [[0n, 0n]] });
    const after = await standing(other);
    expect(after.owed).toEqual([[0n, 0n]]);
    expect(after.windows.slice(0, 3)).toEqual(before.windows);
    expect(after.windows).toHaveLength(4);
    const mirrored = after.windows.map(([sequence, state, ours, theirs]) => [
      sequence,
      state,
      theirs,
      ours,
    ]);
    expect((await standing(name)).windows).toEqual(mirrored);
    const { findings } = await room.toll.audit(name);
    expect(findings.filter(({ detail }) => detail.startsWith('settlement'))).toEqual([]);
  });
});
