/** I26: without a verdict a payer gets a new coin, and not before the resolution deadline. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { TollRoom } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

let room: TollRoom;
let station: TollStation;
let payment: ArrivingPayment;

beforeEach(async () => {
  room = await TollRoom.open();
  station = await TollStation.open(room, 'q1');
  payment = await room.arriving('q1');
  await station.sells(payment);
  await station.pays(payment);
});
afterEach(async () => {
  await station.close();
  room.close();
});

/** What the coin is after so many seconds in which nobody said anything. */
async function stateAfter(seconds: bigint): Promise<string | undefined> {
  room.room.clock.advance(1_000 * Number(seconds));
  for (let turn = 0; turn < 100; turn++) await new Promise(setImmediate);
  const [coin] = await station.store.coins([payment.payment.coin.body.coinId]);
  return coin?.state;
}

function asked(): number {
  return station.said.filter(({ message }) => message.kind === 'question').length;
}

it('the last station is asked half a minute after its deadline, and not before', async () => {
  const { deliveryDeadline } = payment.payment.quote;
  await stateAfter(deliveryDeadline + 29n - room.now);
  expect(asked()).toBe(0);
  await stateAfter(1n);
  expect(asked()).toBe(1);
});

it('a last station that is silent for a day costs nobody a coin before its end', async () => {
  const { resolutionDeadline } = payment.payment.quote;
  while (room.now + 3_600n < resolutionDeadline) expect(await stateAfter(3_600n)).toBe('pending');
  expect(await stateAfter(resolutionDeadline - room.now)).toBe('pending');
  expect(asked()).toBeGreaterThan(5);
  let state: string | undefined = 'pending';
  for (let minute = 0; minute < 120 && state === 'pending'; minute++) state = await stateAfter(60n);
  expect(state).toBe('burned');
  expect(station.complaints).toEqual(['no verdict: coin replaced']);
});
