/** Payments that are paid at the issuer's desk in one moment, and admitted in one batch (S34). */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { commitmentOf, makeCoinId } from '../../../applet-spec/coin.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { primitives } from '../network/network-room.ts';
import { TollRoom } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

let room: TollRoom;
let q1: TollStation;

beforeEach(async () => {
  room = await TollRoom.open();
  q1 = await TollStation.open(room, 'q1');
});
afterEach(async () => {
  await q1.close();
  room.close();
});

const defect = new TypeError('cannot read properties of undefined');

async function withCoin(seed: number): Promise<ArrivingPayment> {
  const coinId = makeCoinId(room.room.clock.nowMs(), new Uint8Array(10).fill(seed));
  const { coinSecret } = await room.arriving('q1');
  const commitment = commitmentOf(primitives, coinId, coinSecret);
  const payment = await room.arriving('q1', { coin: { coinId, commitment } });
  await q1.sells(payment);
  return payment;
}

it('a defect that one brings out fails that one alone: the others are admitted', async () => {
  const payments = [await withCoin(1), await withCoin(2), await withCoin(3)];
  const bad = payments[1]?.paymentId.join();
  const sound = q1.store.admit.bind(q1.store);
  q1.store.admit = (batch) =>
    batch.some(({ paymentId }) => paymentId.join() === bad) ? Promise.reject(defect) : sound(batch);
  const paid = await Promise.allSettled(payments.map((one) => q1.pays(one)));
  expect(paid).toMatchObject([
    { status: 'fulfilled', value: { record: { standing: 'admitted' } } },
    { status: 'rejected', reason: defect },
    { status: 'fulfilled', value: { record: { standing: 'admitted' } } },
  ]);
  const carried = q1.said.flatMap(({ message }) => (message.kind === 'payment' ? [message] : []));
  expect(carried.map(({ content }) => content.payment.coin.body.coinId)).toEqual([
    payments[0]?.payment.coin.body.coinId,
    payments[2]?.payment.coin.body.coinId,
  ]);
  q1.store.admit = sound;
  const [, again] = payments;
  if (again === undefined) throw new Error('a payment is missing');
  expect(await q1.pays(again)).toMatchObject({ record: { standing: 'admitted' } });
});
