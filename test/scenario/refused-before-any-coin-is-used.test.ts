import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { holdingsOf, type Holdings } from './holdings.ts';
import { refusalOf } from './refusal.ts';
import { pin } from './road-user.ts';
import { Road } from './road.ts';
import { endOfRoad } from './sound-books.ts';

let road: Road;
let before: Holdings;

beforeAll(async () => {
  road = await Road.open();
  await road.alice.station.topUp(road.alice.name, 1_000n);
  await road.alice.buy([road.price(), 1], [50n, 2]);
});
afterAll(() => endOfRoad(road));

beforeEach(async () => {
  before = await holdingsOf(road);
});
afterEach(async () => {
  expect(await holdingsOf(road)).toEqual(before);
});

it('a wrong PIN is refused with the tries that are left, and the right one works on', async () => {
  const { alice } = road;
  await alice.leave();
  alice.startAgain();
  const first = await refusalOf(alice.run('connect', {}, { pin: '0000' }));
  expect(first).toMatchObject({ code: 'pin-wrong', outcome: 'refused', triesLeft: 2 });
  expect(first.words).toBe('wrong PIN, 2 tries left');
  const second = await refusalOf(alice.run('connect', {}, { pin: '1111' }));
  expect(second.words).toBe('wrong PIN, 1 try left');
  await alice.run('connect', {}, { pin });
  expect((await alice.run('card-info', {})).pinTries).toBe(3);
  alice.stayConnected();
});

it('a payee whom nobody knows is named, with what to check', async () => {
  const refused = await refusalOf(road.alice.quote('carol@q3'));
  expect(refused).toMatchObject({ code: 'payee-unknown', outcome: 'refused' });
  expect(refused.words).toBe('q3 has no user carol@q3: check the name; it is name@station');
});

it('a payee of a station that nobody knows is refused with the station’s name', async () => {
  const refused = await refusalOf(road.alice.quote('carol@q9'));
  expect(refused).toMatchObject({ code: 'no-route', outcome: 'refused' });
  expect(refused.words).toMatch(/nothing is known of station q9/);
});

it('a payee of the payer’s own station is refused with the reason', async () => {
  const refused = await refusalOf(road.alice.quote('carol@q1'));
  expect(refused).toMatchObject({ code: 'payee-unknown', outcome: 'refused' });
  expect(refused.words).toMatch(/carol@q1 is at q1, as you are; .*: check the name/);
});

it('a payee who is not connected is refused before any coin is touched', async () => {
  const { alice, bob } = road;
  await bob.leave();
  await road.eventually(
    'q3 has seen bob leave',
    () => road.last.running.status().usersAtDesk.length === 0,
  );
  const refused = await refusalOf(alice.quote(bob.name));
  expect(refused).toMatchObject({ code: 'payee-absent', outcome: 'refused' });
  expect(refused.words).toBe(
    'bob@q3 is not connected to q3 now: ask them to run `keytoll agent`, and try again',
  );
  await bob.comeBack();
});

it('a bill that no coin matches is refused with how to get such a coin', async () => {
  const { alice, bob } = road;
  const { quoteId, total } = await alice.quote(bob.name, { minimumSuite: 'aes' });
  const spare = await road.enrol('dora@q1');
  road.users.pop();
  const { quoteId: hers } = await spare.quote(bob.name);
  const refused = await refusalOf(spare.pay(hers));
  expect(refused).toMatchObject({ code: 'no-matching-coin', outcome: 'refused' });
  expect(refused.words).toMatch(
    new RegExp(`no coin of exactly ${total} minor units; the card holds none: .*keytoll exchange`),
  );
  await spare.close();
  expect((await alice.run('show-quote', { quoteId })).matchingCoins).toBe(1);
});

it('a quote that has expired is refused, and a new one is asked for', async () => {
  const { alice, bob } = road;
  const { quoteId } = await alice.quote(bob.name);
  road.clock.moveOn(121);
  const refused = await refusalOf(alice.pay(quoteId));
  expect(refused).toMatchObject({ code: 'quote-expired', outcome: 'refused' });
  expect(refused.words).toMatch(
    /^the quote expired at .*: `keytoll quote PAYEE` asks for a new one$/,
  );
  await road.ready();
  expect(await alice.quote(bob.name)).toMatchObject({ matchingCoins: 1 });
});
