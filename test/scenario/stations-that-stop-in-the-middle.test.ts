import { afterEach, beforeEach, expect, it } from 'vitest';
import { holdingsOf, unspent } from './holdings.ts';
import { Road } from './road.ts';
import { endOfRoad } from './sound-books.ts';

/**
 * Each stop leaves a payment open; the station comes back with its folder and the payment ends
 * well.
 */
let road: Road;
let quoteId: string;

beforeEach(async () => {
  road = await Road.open();
  await road.alice.station.topUp(road.alice.name, 100n);
  await road.alice.buy([road.price(), 2]);
  ({ quoteId } = await road.alice.quote(road.bob.name));
});

/**
 * Delivered once: one coin gone, the fees earned once at every station, the same key on both cards.
 */
afterEach(async () => {
  try {
    const { payments } = await road.alice.run('payments', {});
    const [paid] = payments;
    expect(payments).toHaveLength(1);
    if (paid === undefined) throw new Error('no payment');
    await road.sharedCheck(paid.paymentId);
    for (const { name } of road.stations) await road.payment(name, paid.paymentId, 'delivered');
    await road.eventually(
      'the coin has left the card',
      async () => (await unspent(road.alice)).length === 1,
    );
    const { stations } = await holdingsOf(road);
    const earned = road.stations.map(({ name }) => stations[name]?.balances['fees-earned']);
    expect(earned).toEqual([-3n, -2n, -4n]);
    expect(stations['q1']?.balances['pending-payments']).toBeUndefined();
    const message = await road.alice.says(road.bob.name, 'still here');
    expect(await road.bob.hears(message)).toBe('still here');
  } finally {
    await endOfRoad(road);
  }
});

it('the payee’s station, before the payment has reached it', async () => {
  await road.last.cutOff();
  const { paymentId, standing } = await road.alice.pay(quoteId, { waitMs: 0 });
  expect(standing).toBe('admitted');
  await road.payment('q2', paymentId, 'held');
  await road.last.restart();
  await road.last.joinAgain();
  await road.payment('q1', paymentId, 'delivered');
});

it('the payee’s station, while the payee’s card is at work on the offer', async () => {
  const stopped = new Promise<void>((resolve) => {
    road.bob.card.afterNext('offer', async () => {
      resolve();
      await road.last.stop();
    });
  });
  const paying = road.alice.pay(quoteId);
  await stopped;
  await road.eventually('q3 has stopped', () => road.last.deskPort === undefined);
  await road.last.start();
  expect(await paying).toMatchObject({ standing: 'delivered' });
});

it('a relay, which holds the payment', async () => {
  await road.last.cutOff();
  const { paymentId } = await road.alice.pay(quoteId, { waitMs: 0 });
  await road.payment('q2', paymentId, 'held');
  await road.payment('q1', paymentId, 'relayed');
  await road.station('q2').restart();
  await road.last.joinAgain();
  await road.payment('q1', paymentId, 'delivered');
});

it('a relay, while the verdict is on its way back', async () => {
  const stopped = new Promise<void>((resolve) => {
    road.bob.card.afterNext('offer', async () => {
      await road.station('q2').stop();
      resolve();
    });
  });
  const paying = road.alice.pay(quoteId);
  await stopped;
  await road.station('q2').start();
  expect(await paying).toMatchObject({ standing: 'delivered' });
});

it('the issuer, once it has admitted the payment', async () => {
  await road.last.cutOff();
  const { paymentId } = await road.alice.pay(quoteId, { waitMs: 0 });
  await road.payment('q2', paymentId, 'held');
  await road.station('q1').restart();
  await road.last.joinAgain();
  await road.payment('q1', paymentId, 'delivered');
  await road.atDesk(road.alice);
});

it('the issuer, between signature and admission: the same coin pays the quote', async () => {
  const { alice } = road;
  alice.card.afterNext('pay', () => road.station('q1').stop());
  await expect(alice.pay(quoteId)).rejects.toMatchObject({ outcome: 'unknown' });
  await road.station('q1').start();
  await Promise.all([road.ready(), road.atDesk(alice)]);
  expect(await alice.pay(quoteId)).toMatchObject({ standing: 'delivered' });
});

it('all of them', async () => {
  await road.last.cutOff();
  const { paymentId } = await road.alice.pay(quoteId, { waitMs: 0 });
  await road.payment('q2', paymentId, 'held');
  for (const station of road.stations) await station.stop();
  await road.last.joinAgain();
  for (const station of [...road.stations].reverse()) await station.start();
  await road.payment('q1', paymentId, 'delivered');
  await road.atDesk(road.alice);
});
