/** Stations are renewed one by one: it is the verdict that counts, whatever the reason's code. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { toHex } from '../../../applet-spec/bytes.ts';

import { wireMessage } from '../../../daemon/wire/wire-message.ts';
import { TollRoom, type Place } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

let room: TollRoom;

beforeEach(async () => {
  room = await TollRoom.open();
});
afterEach(() => {
  room.close();
});

/** It has the payment, and hears that it was not delivered, for a reason without a word. */
async function hearsOfIt(place: Place) {
  const station = await TollStation.open(room, place);
  const payment = await room.arriving(place);
  expect(await station.receives(payment)).toBe('carried');
  const receipt = room.undelivered(payment.paymentId, 'code-200');
  const bytes = wireMessage.encode({ kind: 'receipt', content: { receipt } });
  await station.hears(room.stations.q3.name, wireMessage.decode(bytes));
  const [row] = await station.store.payments([payment.paymentId]);
  return { station, receipt, row };
}

it('ends the payment on the way, and is passed back as it came', async () => {
  const { station, receipt, row } = await hearsOfIt('q2');
  expect(row?.state).toBe('undelivered');
  const words = station.said.flatMap(({ message }) =>
    message.kind === 'receipt' ? [toHex(message.content.receipt.bytes)] : [],
  );
  expect(words).toEqual([toHex(receipt.bytes)]);
  await station.close();
});
