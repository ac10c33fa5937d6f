/** Payments under way to or from a station that its operator has taken out of the configuration. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { alice, TollRoom, type Place } from './toll-room.ts';
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

async function restartWithout(neighbour: Place): Promise<void> {
  const { place } = station;
  await station.close();
  room.suites.delete(`${place} ${neighbour}`);
  station = await TollStation.open(room, place);
  await station.toll.start();
}

async function stateOf({ paymentId }: ArrivingPayment): Promise<string | undefined> {
  return (await station.store.payments([paymentId]))[0]?.state;
}

it('a verdict is stored although the station it should go to is no neighbour now', async () => {
  station = await TollStation.open(room, 'q2');
  const payment = await room.arriving('q2');
  await station.receives(payment);
  await restartWithout('q1');
  const receipt = room.undelivered(payment.paymentId);
  await station.hears(room.stations.q3.name, { kind: 'receipt', content: { receipt } });
  expect(await stateOf(payment)).toBe('undelivered');
  expect(station.said).toEqual([]);
});

it('an issuer replaces the coin although the next station is no neighbour any more', async () => {
  station = await TollStation.open(room, 'q1');
  const payment = await room.arriving('q1');
  await station.sells(payment);
  await station.pays(payment);
  await restartWithout('q2');
  // As an answer brings it, which came over other stations.
  expect(await station.toll.takeReceipt(room.undelivered(payment.paymentId))).toBe('taken');
  expect(await stateOf(payment)).toBe('undelivered');
  expect(await station.store.outstanding(alice)).toEqual({ coins: 1, value: 123n });
});
