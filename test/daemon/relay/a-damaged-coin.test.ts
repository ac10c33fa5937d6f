/** A coin whose secret a station's disk has lost. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { rawDatabase } from '../../raw-database.ts';
import { TollRoom } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

let room: TollRoom;
let station: TollStation;
beforeEach(async () => {
  room = await TollRoom.open();
});
afterEach(async () => {
  await station.close();
  room.close();
});

function damage(table: 'coin' | 'held_secret'): void {
  const disk = rawDatabase(join(room.room.folder, `${station.place}.sqlite`));
  disk.exec(`UPDATE ${table} SET sealed = CAST(x'01' || substr(sealed, 3) || x'5a' AS BLOB)`);
  disk.close();
}

describe('a coin that its owner pays with', () => {
  let paying: ArrivingPayment;
  beforeEach(async () => {
    station = await TollStation.open(room, 'q1');
    paying = await room.arriving('q1');
    await station.sells(paying);
    damage('coin');
  });

  it('is burned before admission, and another coin takes its place', async () => {
    const { coinId, value } = paying.payment.coin.body;
    const paid = await station.pays(paying);
    expect(paid).toMatchObject({ outcome: 'paid', record: { standing: 'refused' } });
    expect(await station.store.coins([coinId])).toMatchObject([{ state: 'burned' }]);
    expect(await station.store.replacements([coinId])).toMatchObject([
      { state: 'reserved', value },
    ]);
    expect(station.said.filter(({ message }) => message.kind === 'payment')).toEqual([]);
    expect(station.complaints.join()).toMatch(/secret of its coin is damaged/);
  });

  it('is so once, however often the payment is taken up again', async () => {
    await station.pays(paying);
    expect(await station.pays(paying)).toMatchObject({
      outcome: 'paid-before',
      row: { state: 'refused' },
    });
  });
});

it('a payment that its last station holds ends undelivered, not through its payee', async () => {
  station = await TollStation.open(room, 'q3');
  const { payment, paymentId, ...arriving } = await room.arriving('q3');
  expect(await station.receives({ ...arriving, payment, paymentId })).toBe('carried');
  damage('held_secret');
  station.payeesCard = () => ({ outcome: 'refused', reason: 'payee-card-fault' });
  station.toll.arrived(payment.quote.payee);
  for (let i = 0; i < 100; i++) await new Promise(setImmediate);
  expect(await station.store.payments([paymentId])).toMatchObject([{ state: 'undelivered' }]);
  const receipts = station.said.flatMap(({ message }) =>
    message.kind === 'receipt' ? [message.content.receipt.body.reason] : [],
  );
  expect(receipts).toEqual(['commitment-mismatch']);
});
