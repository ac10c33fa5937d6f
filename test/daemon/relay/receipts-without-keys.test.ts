/** Under `otp` a receipt needs keys of the link that it goes on over (I33, I41). */
import { expect, it } from 'vitest';
import { toHex } from '../../../applet-spec/bytes.ts';
import { commitmentOf, makeCoinId } from '../../../applet-spec/coin.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { primitives } from '../network/network-room.ts';
import { TollRoom } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

it('do not wait for keys one after another, and go out once there are some', async () => {
  const room = await TollRoom.open();
  room.link('q1', 'q2', 'otp');
  const q2 = await TollStation.open(room, 'q2');
  const { q1, q3 } = room.stations;
  const { clock } = room.room;
  const payments: ArrivingPayment[] = [];
  for (const seed of [1, 2, 3]) {
    const { coinSecret } = await room.arriving('q2');
    const coinId = makeCoinId(clock.nowMs(), new Uint8Array(10).fill(seed));
    const commitment = commitmentOf(primitives, coinId, coinSecret);
    const payment = await room.arriving('q2', { coin: { coinId, commitment } });
    expect(await q2.receives(payment)).toBe('carried');
    payments.push(payment);
  }
  q2.starved.add(q1.name);
  const ids = payments.map(({ paymentId }) => paymentId);
  const decided = async () =>
    (await q2.store.payments(ids)).filter((row) => row?.state === 'undelivered').length;
  const hears = (id: Uint8Array | undefined) => {
    if (id === undefined) throw new Error('a payment is missing');
    const receipt = room.undelivered(id);
    void q2.hears(q3.name, { kind: 'receipt', content: { receipt } });
    return turns();
  };
  await hears(ids[0]);
  await hears(ids[1]);
  expect(await decided()).toBe(0);
  clock.advance(1_000);
  await turns();
  expect(await decided()).toBe(2);
  expect(receiptsIn(q2)).toEqual([]);
  // The link has keys again, and is asked for them after a moment.
  q2.feed(q1.name);
  const [first, second, third] = ids.map(toHex);
  expect(receiptsIn(q2)).toEqual([`q1 ${first}`, `q1 ${second}`]);
  clock.advance(1_000);
  await hears(ids[2]);
  expect(await decided()).toBe(3);
  expect(receiptsIn(q2).slice(2)).toEqual([`q1 ${third}`]);
  await q2.close();
  room.close();
});

function receiptsIn({ said }: TollStation): string[] {
  return said.flatMap(({ peer, message }) =>
    message.kind === 'receipt' ? [`${peer} ${toHex(message.content.receipt.body.paymentId)}`] : [],
  );
}

async function turns(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise(setImmediate);
}
