/** A quote that was paid, and whose payer has not heard so, is asked to be paid again. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { quote as quoteKind } from '../../../applet-spec/quote.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { alice, bob, TollRoom } from './toll-room.ts';
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

/** The station gave this quote itself. */
async function quoted({ payment }: ArrivingPayment): Promise<Uint8Array> {
  const { quote, transaction } = payment;
  const signed = quoteKind.sign(quote, room.stations.q1.documentKey);
  const acceptance = new Uint8Array(0);
  const { payer, expiry: expirySeconds } = quote;
  const { quoteDigest: digest } = transaction;
  await q1.store.putQuotes([{ digest, payer, quote: signed.bytes, acceptance, expirySeconds }]);
  return digest;
}

it('and the disk is almost full meanwhile: it hears of its payment', async () => {
  const paid = await room.arriving('q1');
  await q1.sells(paid);
  const digest = await quoted(paid);
  expect(await q1.pays(paid)).toMatchObject({ outcome: 'paid' });
  q1.room.refusal = 'The disk of q1 is almost full.';
  expect(await q1.toll.payable(alice, digest)).toMatchObject({
    outcome: 'paid-before',
    row: { state: 'admitted' },
  });
});

it('by somebody else: that one hears nothing of it', async () => {
  const paid = await room.arriving('q1');
  await q1.sells(paid);
  const digest = await quoted(paid);
  await q1.pays(paid);
  q1.room.refusal = 'The disk of q1 is almost full.';
  expect(await q1.toll.payable(bob, digest)).toMatchObject({ code: 'overloaded' });
});
