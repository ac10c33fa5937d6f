/** What expired is put away as fast as it comes, however busy the station is. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { AnnouncedFees } from '../../../daemon/relay/announced-fees.ts';
import { Upkeep } from '../../../daemon/station/upkeep.ts';
import type { OwnAnnouncement } from '../../../daemon/store/book-store.ts';
import { openSqliteStore } from '../../../daemon/store/sqlite-store.ts';
import type { QuoteRow, Store } from '../../../daemon/store/store.ts';
import { announcement } from '../../../daemon/wire/announcement.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { addUser, alice, bytesFrom, newCoin, orderIdFrom } from '../../contract/store-fixture.ts';
import { euro, NetworkRoom, primitives } from '../network/network-room.ts';
import { toStationName } from '../../../applet-spec/names.ts';

const many = 2_300;
const minuteMs = 60_000;
const daySeconds = 86_400n;

let store: Store;
let clock: VirtualClock;
let upkeep: Upkeep;
let faults: unknown[];
let expiredTold: number;

beforeEach(async () => {
  clock = new VirtualClock();
  faults = [];
  expiredTold = 0;
  store = await openSqliteStore({
    file: ':memory:',
    stationKey: new Uint8Array(32),
    station: toStationName('q1'),
    currency: euro,
    primitives,
    entropy: seededEntropy('upkeep'),
  });
  const silent = (): void => undefined;
  const log = {
    debug: silent,
    info: silent,
    warn: silent,
    error: (fault: unknown) => {
      faults.push(fault);
    },
  };
  const standing = { rolledBack: undefined };
  upkeep = new Upkeep({ store, clock, log, standing }, () => {
    expiredTold++;
  });
});
afterEach(async () => {
  await upkeep.close();
  await store.close();
  expect(faults).toEqual([]);
});

function nowSeconds(): bigint {
  return BigInt(Math.floor(clock.nowMs() / 1_000));
}

/** One minute of the upkeep, until it waits for the next. */
async function minute(): Promise<void> {
  upkeep.start();
  clock.advance(minuteMs);
  while (clock.pending === 0) await new Promise(setImmediate);
}

it('quotes of a busy minute are forgotten in one', async () => {
  const expirySeconds = nowSeconds();
  const quotes = Array.from({ length: many }, (_, i): QuoteRow => {
    const digest = bytesFrom('quote', String(i));
    const nothing = new Uint8Array(0);
    return { digest, payer: alice, quote: nothing, acceptance: nothing, expirySeconds };
  });
  await store.putQuotes(quotes);
  clock.advance(Number(daySeconds + 60n) * 1_000);
  await minute();
  const left = await Promise.all(quotes.map(({ digest }) => store.quote(digest)));
  expect(left.filter((quote) => quote !== undefined)).toEqual([]);
});

it('coins that expire in one moment are money in the next minute', async () => {
  await addUser(store, alice, BigInt(many));
  const coins = Array.from({ length: many }, (_, i) => ({
    ...newCoin(`coin ${i}`, 1n),
    expirySeconds: nowSeconds() + 1n,
  }));
  const orderId = orderIdFrom('a');
  const lines = [{ value: 1n, count: many }];
  const nowMs = clock.nowMs();
  await store.reserveCoins({ orderId, user: alice, lines, coins, nowMs });
  await minute();
  expect((await store.user(alice))?.balance).toBe(BigInt(many));
  expect(expiredTold).toBe(1);
});

it('prices that no bill has named are forgotten after two days, and others never', async () => {
  const room = await NetworkRoom.open();
  const station = await room.station('q1');
  const fees = new AnnouncedFees(store);
  const [named, unnamed] = [1n, 2n].map((fee) => {
    const { bytes, bodyBytes, body } = room.announce(station, fee, [], { time: nowSeconds() });
    const name = announcement.digest(primitives, bodyBytes).slice(0, 16);
    return { name, sequence: body.sequence, time: body.time, bytes };
  }) as [OwnAnnouncement, OwnAnnouncement];
  room.close();
  for (const own of [named, unnamed]) await store.putOwnAnnouncement(own);
  expect(await fees.fee(named.name, named.time)).toMatchObject({ fee: 1n });
  clock.advance(Number(2n * daySeconds) * 1_000);
  await minute();
  expect(await store.ownAnnouncement(unnamed.name)).toBeUndefined();
  clock.advance(Number(1_000n * daySeconds) * 1_000);
  await minute();
  expect(await store.ownAnnouncement(named.name)).toEqual(named.bytes);
});
