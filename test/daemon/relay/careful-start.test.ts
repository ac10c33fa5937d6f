/** Failure 46, the loop: a record whose handling ends the process, at each start again. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { commitmentOf, makeCoinId } from '../../../applet-spec/coin.ts';
import type { InboundRecord } from '../../../daemon/link/links.ts';
import { CarefulStart } from '../../../daemon/relay/careful-start.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { Quarantine } from '../../../daemon/relay/quarantine.ts';
import { primitives } from '../network/network-room.ts';
import { TollRoom } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

let room: TollRoom;
let q2: TollStation;
let deadly: ArrivingPayment;
let sound: ArrivingPayment;
beforeEach(async () => {
  room = await TollRoom.open();
  deadly = await room.arriving('q2');
  const coinId = makeCoinId(room.room.clock.nowMs(), new Uint8Array(10).fill(8));
  const commitment = commitmentOf(primitives, coinId, deadly.coinSecret);
  sound = await room.arriving('q2', { coin: { coinId, commitment } });
  q2 = await started();
});
afterEach(async () => {
  await q2.store.close();
  room.close();
});

/** Nobody comes back from storing the deadly payment. */
async function started(): Promise<TollStation> {
  const station = await TollStation.open(room, 'q2');
  station.faults = [];
  const hold = station.store.hold.bind(station.store);
  station.store.hold = (payments) =>
    payments.some(({ paymentId }) => paymentId.join() === deadly.paymentId.join())
      ? new Promise(() => undefined)
      : hold(payments);
  await station.toll.begin();
  return station;
}

/** As after a crash: what was under way is never heard of again. */
async function crash(): Promise<void> {
  await q2.store.close();
  q2 = await started();
}

function recordOf(
  rowId: bigint,
  { payment, admission, coinSecret }: ArrivingPayment,
): InboundRecord {
  if (admission === undefined) throw new Error('not admitted');
  const message = { kind: 'payment', content: { payment, admission } } as const;
  return { rowId, message, secret: coinSecret };
}

/** As q1 sends them with each connection; which of them it may forget. */
function hears(...records: readonly InboundRecord[]): Promise<readonly boolean[]> {
  const { name } = room.stations.q1;
  return Promise.all(records.map((record) => q2.hearsRow(name, record)));
}

it('is quarantined, and refused, by the third careful start, before it is begun', async () => {
  const both = [recordOf(1n, deadly), recordOf(2n, sound)];
  // Two that are like any other, and two that are careful: nobody knows how they ended.
  for (let starts = 1; starts <= 4; starts++) {
    const [isForgotten] = await hears(...both);
    expect(isForgotten).toBe(false);
    await crash();
  }
  expect(await hears(...both)).toEqual([true, true]);
  const [kept] = await q2.store.quarantined(0n, 10);
  expect(kept).toMatchObject({ peer: 'q1', rowId: 1n, attempts: 3 });
  expect(kept?.why).toBe('UnfinishedError: the station ended while it was at work');
  const refusals = q2.said.filter(({ message }) => message.kind === 'refusal');
  expect(refusals.map(({ peer }) => peer)).toEqual(['q1']);
  expect(await q2.store.payments([sound.paymentId])).toMatchObject([{ state: 'held' }]);
  expect(await q2.store.quarantineCounts()).toMatchObject([{ counted: 0, quarantined: 1 }]);
});

it('does not count what was handled before it', async () => {
  for (let starts = 1; starts <= 2; starts++) await crash();
  expect(await hears(recordOf(2n, sound), recordOf(1n, deadly))).toEqual([true, false]);
  expect(await q2.store.quarantineCounts()).toMatchObject([{ counted: 1, quarantined: 0 }]);
  expect(q2.complaints.join()).toMatch(/one record at a time/);
});

it('a station that lasts a minute, or ends well, starts like any other', async () => {
  await crash();
  await crash();
  room.room.clock.advance(60_000);
  await new Promise(setImmediate);
  await crash();
  expect(q2.complaints.join()).not.toMatch(/one record at a time/);
  await crash();
  await q2.close();
  q2 = await started();
  expect(await q2.store.countStart()).toBe(2);
});

it('a careful start ends, too, on a road where something is always under way', async () => {
  const { store } = q2;
  const { clock } = room.room;
  const silent = (): void => undefined;
  const log = { payment: silent, notice: silent, peer: silent, fault: silent };
  const stopping = new AbortController().signal;
  const seams = { store, clock, log, room: { refusal: undefined }, stopping };
  const start = new CarefulStart(
    { ...seams, station: room.stations.q2.name },
    new Quarantine(seams),
  );
  for (let starts = 1; starts <= 2; starts++) await store.countStart();
  await start.begin();
  const { name: peer } = room.stations.q1;
  const isCareful: boolean[] = [];
  let finish: (isHandled: boolean) => void = silent;
  for (let rowId = 1n; rowId <= 30n; rowId++) {
    const row = { rowId, form: 'message', bytes: new Uint8Array(1), cause: undefined } as const;
    const finishLast = finish;
    const begun = new Promise<void>((resolve) => {
      void start.take(peer, row, () => {
        resolve();
        return new Promise((handled) => {
          finish = handled;
        });
      });
    });
    finishLast(true);
    await begun;
    clock.advance(60_000);
    isCareful.push(start.isCareful);
  }
  expect([isCareful[0], isCareful.at(-1)]).toEqual([true, false]);
  finish(true);
  await start.close();
});
