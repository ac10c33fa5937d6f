/** The last station decides once its store is busy or full no more, and not only when asked. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { StoreError } from '../../../daemon/store/store-error.ts';
import { TollRoom } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

let room: TollRoom;
let q3: TollStation;
let payment: ArrivingPayment;
/** Puts the store right. */
let mend: () => void;

beforeEach(async () => {
  room = await TollRoom.open();
  q3 = await TollStation.open(room, 'q3');
  q3.faults = [];
  payment = await room.arriving('q3');
  const sound = q3.store.decide.bind(q3.store);
  q3.store.decide = () => Promise.reject(new StoreError('disk-full', 'no room'));
  mend = () => {
    q3.store.decide = sound;
  };
});
afterEach(async () => {
  await q3.close();
  room.close();
});

async function verdict(): Promise<unknown> {
  for (let i = 0; i < 100; i++) await new Promise(setImmediate);
  const [row] = await q3.store.payments([payment.paymentId]);
  return row?.state;
}

it('after the payee’s card has answered', async () => {
  let offers = 0;
  q3.payeesCard = () => {
    offers++;
    return { outcome: 'refused', reason: 'payee-card-full' };
  };
  expect(await q3.receives(payment)).toBe('carried');
  expect(await verdict()).toBe('held');
  mend();
  room.room.clock.advance(5_000);
  expect(await verdict()).toBe('undelivered');
  expect(offers).toBe(2);
  expect(q3.faults).toHaveLength(1);
});

it('after its deadline', async () => {
  expect(await q3.receives(payment)).toBe('carried');
  room.room.clock.advance(300_000);
  expect(await verdict()).toBe('held');
  mend();
  room.room.clock.advance(5_000);
  expect(await verdict()).toBe('undelivered');
});
