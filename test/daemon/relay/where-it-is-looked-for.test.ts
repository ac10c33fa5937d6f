/**
 * A new payment is looked for among those of its deadline, and not among all that a station has had
 * in years: each of them would cost a little more with every hour that it runs.
 */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { quote as quoteKind } from '../../../applet-spec/quote.ts';
import type { ArrivingPayment } from '../../../daemon/relay/payment-check.ts';
import { alice, TollRoom, type Place } from './toll-room.ts';
import { TollStation } from './toll-station.ts';

let room: TollRoom;
let station: TollStation;
/** The deadlines by which payments were looked for. */
let deadlines: (bigint | undefined)[];

beforeEach(async () => {
  room = await TollRoom.open();
  deadlines = [];
});
afterEach(async () => {
  await station.close();
  room.close();
});

async function openAt(place: Place): Promise<void> {
  station = await TollStation.open(room, place);
  const { store } = station;
  const payments = store.payments.bind(store);
  const paymentByQuote = store.paymentByQuote.bind(store);
  store.payments = (ids, deadline) => {
    deadlines.push(deadline);
    return payments(ids, deadline);
  };
  store.paymentByQuote = (digest, deadline) => {
    deadlines.push(deadline);
    return paymentByQuote(digest, deadline);
  };
}

it('on the way', async () => {
  await openAt('q2');
  const arriving = await room.arriving('q2');
  expect(await station.receives(arriving)).toBe('carried');
  expect(deadlines).toEqual([arriving.payment.quote.deliveryDeadline]);
});

it('at its end', async () => {
  await openAt('q3');
  const arriving = await room.arriving('q3');
  expect(await station.receives(arriving)).toBe('carried');
  expect(deadlines).toEqual([arriving.payment.quote.deliveryDeadline]);
});

it('at its issuer, before the card is asked and after', async () => {
  await openAt('q1');
  const paying = await room.arriving('q1');
  await station.sells(paying);
  const { quote, transaction } = paying.payment;
  const signed = quoteKind.sign(quote, room.stations.q1.documentKey);
  const { quoteDigest: digest } = transaction;
  const acceptance = new Uint8Array(0);
  const { payer, expiry: expirySeconds } = quote;
  await station.store.putQuotes([
    { digest, payer, quote: signed.bytes, acceptance, expirySeconds },
  ]);
  expect(await station.toll.payable(alice, digest)).toMatchObject({ outcome: 'payable' });
  expect(await station.pays(paying)).toMatchObject({ record: { standing: 'admitted' } });
  expect(deadlines).toEqual([quote.deliveryDeadline]);
});

it('at its end, where it never came and its issuer asks', async () => {
  await openAt('q3');
  const never = await room.arriving('q3');
  const { q1, q2, q3 } = room.stations;
  const route = [q1.name, q2.name, q3.name];
  const answer = await station.toll.answer(room.asked(never), route);
  expect(answer).toMatchObject({
    content: { receipt: { body: { verdict: 'undelivered', reason: 'asked-by-issuer' } } },
  });
  expect(deadlines).toEqual([never.payment.quote.deliveryDeadline]);
});

it('but among all where it comes with another quote than its payer signed', async () => {
  await openAt('q2');
  const arriving = await room.arriving('q2');
  await station.receives(arriving);
  const { quote } = arriving.payment;
  const later = { ...quote, deliveryDeadline: quote.deliveryDeadline + 86_400n };
  const payment = { ...arriving.payment, quote: later, quoteBytes: quoteKind.body.encode(later) };
  const forged: ArrivingPayment = { ...arriving, payment };
  deadlines = [];
  await station.receives(forged);
  expect(deadlines).toEqual([undefined]);
  expect(station.complaints.at(-1)).toMatch(/it came again with other content/);
  // Nobody signed that quote: it proves nothing.
  expect(await station.store.evidence(arriving.paymentId)).toEqual([]);
});
