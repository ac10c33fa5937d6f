import { afterAll, beforeAll, beforeEach, afterEach, expect, it } from 'vitest';
import { holdingsOf, type Holdings } from './holdings.ts';
import { refusalOf } from './refusal.ts';
import { Road } from './road.ts';
import { endOfRoad } from './sound-books.ts';

let road: Road;
let before: Holdings;

beforeAll(async () => {
  road = await Road.open();
  await road.alice.station.topUp(road.alice.name, 1_000n);
  await road.alice.buy([road.price(), 5]);
});
afterAll(() => endOfRoad(road));

beforeEach(async () => {
  before = await holdingsOf(road);
});
/** The station is back, nothing was lost, and the road carries on. */
afterEach(async () => {
  await road.ready();
  const { alice, bob } = road;
  await Promise.all([alice, bob].map((user) => road.atDesk(user)));
  expect(await holdingsOf(road)).toEqual(before);
  const { paymentId } = await alice.share(bob.name);
  await road.sharedCheck(paymentId);
});

it('the payer’s own: the user is told its address and what to ask', async () => {
  const { alice, bob } = road;
  const q1 = road.station('q1');
  const gone = alice.next('disconnected');
  await q1.stop();
  await gone;
  const refused = await refusalOf(alice.quote(bob.name));
  expect(refused).toMatchObject({ code: 'station-unreachable', outcome: 'fault' });
  expect(refused.words).toContain('is the station running, and its address right?');
  await q1.start();
});

it('a relay: no route, and its name is not taken for the payee’s fault', async () => {
  const q2 = road.station('q2');
  await q2.stop();
  await road.eventually('q1 sees the link down', () => {
    const [link] = road.station('q1').running.status().links;
    return link?.state !== 'up';
  });
  const refused = await refusalOf(road.alice.quote(road.bob.name));
  expect(refused).toMatchObject({ code: 'no-route', outcome: 'refused' });
  expect(refused.words).toMatch(/q2|no route of links in service/);
  await q2.start();
});

it('a relay, after the quote: the payment is refused before the card is asked', async () => {
  const { alice, bob } = road;
  const q2 = road.station('q2');
  const { quoteId } = await alice.quote(bob.name);
  await q2.stop();
  await road.eventually('q1 sees the link down', () => {
    const [link] = road.station('q1').running.status().links;
    return link?.state !== 'up';
  });
  const refused = await refusalOf(alice.pay(quoteId));
  expect(refused).toMatchObject({ code: 'no-route', outcome: 'refused' });
  expect(refused.words).toMatch(/The link to q2 is out of service .*No coin was used/);
  await q2.start();
});

it('the payee’s: the quote says which station cannot be reached', async () => {
  await road.last.stop();
  await road.eventually('q1 knows that the link from q2 to q3 is down', () => {
    const q2 = road
      .station('q1')
      .running.status()
      .stations.find(({ station }) => station === 'q2');
    return q2?.links.some(({ neighbour, up }) => neighbour === 'q3' && !up);
  });
  const refused = await refusalOf(road.alice.quote(road.bob.name));
  expect(refused).toMatchObject({ code: 'no-route', outcome: 'refused' });
  expect(refused.words).toMatch(/from q1 to q3.*: try again later/);
  await road.last.start();
});

it('one that is stopped as soon as it has started starts again', async () => {
  const q2 = road.station('q2');
  for (let i = 0; i < 5; i++) await q2.restart();
});
