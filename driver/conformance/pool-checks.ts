/** POOL: coins come, retire, expire and never come back. */
import {
  authorisation,
  coinErasure,
  coinPage,
  retirement,
  retirementDigest,
  type CoinEntry,
  type Operation,
  type Retirement,
} from '../../applet-spec/card-objects.ts';
import { equalBytes } from '../../applet-spec/bytes.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import type { CardOnBench } from './card-on-bench.ts';
import { expectNumber, expectStatus, expectThat, expectWord } from './expectation.ts';
import { loadOf, noon } from './specimens.ts';

export const poolChecks = {
  'POOL-1': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const before = (await card.info()).coins;
    const [first, second, third] = [
      card.life.nextCoin(),
      card.life.nextCoin(),
      card.life.nextCoin(),
    ];
    await station.expect('done', 'loadCoins', loadOf(first, second));
    await station.expect('done', 'loadCoins', loadOf(second, third));
    expectNumber('coins', (await card.info()).coins, before + 3);
    const other = { ...first, value: first.value + 1n };
    await station.expect('conflict', 'loadCoins', loadOf(card.life.nextCoin(), other));
    const later = { ...first, expiry: first.expiry + 1n };
    await station.expect('conflict', 'loadCoins', loadOf(later));
    const secret = card.entropy.randomBytes(32);
    await station.expect('conflict', 'loadCoins', loadOf({ ...first, secret }));
    expectNumber('coins after a conflict', (await card.info()).coins, before + 3);
    const held = await coinsOn(card);
    const shown = held.find(({ coinId }) => equalBytes(coinId, first.coinId));
    expectThat(shown !== undefined, 'a coin that was loaded is not listed');
    expectWord('its state', shown?.state ?? 'none', 'unspent');
    expectThat(shown?.value === first.value, 'a coin is listed with another value');
  },

  'POOL-2': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const before = (await card.info()).coins;
    const coin = card.life.nextCoin();
    const good = station.wrap('loadCoins', loadOf(coin));
    const last = good.data.length - 1;
    const bad = { ...good, data: good.data.map((byte, i) => (i === last ? byte ^ 1 : byte)) };
    expectStatus('LOAD COINS, changed', (await card.exchange(bad)).sw, 0x6982);
    expectStatus('LOAD COINS, unchanged, after it', (await card.exchange(good)).sw, 0x6982);
    expectNumber('coins', (await card.info()).coins, before);
    await (await card.openSession()).expect('done', 'loadCoins', loadOf(coin));
    expectNumber('coins, loaded', (await card.info()).coins, before + 1);
  },

  'POOL-3': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const coins = [card.life.nextCoin(), card.life.nextCoin()];
    await station.expect('done', 'loadCoins', loadOf(...coins));
    const coinIds = coins.map(({ coinId }) => coinId);
    const order: Retirement = {
      orderId: card.entropy.randomBytes(16),
      operation: 'refund',
      coinIds,
    };
    const data = retirement.encode(order);
    await station.expect('not-authorised', 'retireCoins', data);
    await authorise(card, 'exchange', data);
    await station.expect('not-authorised', 'retireCoins', data);
    await authorise(card, 'refund', data);
    await station.expect('done', 'retireCoins', data);
    await station.expect('done', 'retireCoins', data);
    const another = retirement.encode({ ...order, orderId: card.entropy.randomBytes(16) });
    await authorise(card, 'refund', another);
    await station.expect('not-unspent', 'retireCoins', another);
    const absent = retirement.encode({ ...order, coinIds: [card.life.nextCoin().coinId] });
    await authorise(card, 'refund', absent);
    await station.expect('not-found', 'retireCoins', absent);
  },

  'POOL-4': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const before = (await card.info()).coins;
    const [coin, early] = [card.life.nextCoin(), card.life.nextCoin({ expiry: noon - 100n })];
    await station.expect('done', 'loadCoins', loadOf(coin, early));
    const erase = (coinId: Uint8Array, time?: bigint) =>
      coinErasure.encode({ coinIds: [coinId], ...(time !== undefined && { time }) });
    await station.expect('conflict', 'eraseCoins', erase(coin.coinId, noon));
    await station.expect('done', 'eraseCoins', erase(early.coinId, noon));
    await station.expect('done', 'eraseCoins', erase(early.coinId));
    const order = { operation: 'refund', coinIds: [coin.coinId] } as const;
    const data = retirement.encode({ orderId: card.entropy.randomBytes(16), ...order });
    await authorise(card, 'refund', data);
    await station.expect('done', 'retireCoins', data);
    await station.expect('done', 'eraseCoins', erase(coin.coinId));
    expectNumber('coins', (await card.info()).coins, before);
    card.life.gone.push(coin, early);
  },

  'POOL-5': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    expectThat(card.life.gone.length > 0, 'no coin has left the card by now');
    for (const coin of card.life.gone) {
      await station.expect('not-unspent', 'loadCoins', loadOf(coin));
    }
    await card.powerCycle();
    const later = await card.enterWithStation();
    for (const coin of card.life.gone) {
      await later.expect('not-unspent', 'loadCoins', loadOf(card.life.nextCoin(), coin));
    }
  },

  'POOL-6': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const coin = card.life.nextCoin();
    await station.expect('done', 'loadCoins', loadOf(coin));
    const orderOf = (...coinIds: readonly Uint8Array[]) =>
      retirement.encode({ orderId: card.entropy.randomBytes(16), operation: 'exchange', coinIds });
    const absent = orderOf(coin.coinId, card.life.nextCoin().coinId);
    await authorise(card, 'exchange', absent);
    await station.expect('not-found', 'retireCoins', absent);
    await station.expect('not-authorised', 'retireCoins', absent);
    const twice = orderOf(coin.coinId, coin.coinId);
    await authorise(card, 'exchange', twice);
    const { sw } = await card.exchange(station.wrap('retireCoins', twice));
    expectStatus('a retirement of one coin twice', sw, 0x6a80);
    const next = await card.openSession();
    const order = orderOf(coin.coinId);
    await authorise(card, 'exchange', order);
    await next.expect('done', 'retireCoins', order);
  },
} as const;

export async function coinsOn(card: CardOnBench): Promise<readonly CoinEntry[]> {
  const entries: CoinEntry[] = [];
  for (;;) {
    const first = entries.length;
    const data = await card.done('listCoins', new Uint8Array(0), first >> 8, first & 0xff);
    const page = decodeElement(coinPage, data, 'page of coins');
    entries.push(...page.entries);
    if (entries.length >= page.total || page.entries.length === 0) return entries;
  }
}

/** The host's hand for a retirement. */
export async function authorise(
  card: CardOnBench,
  operation: Operation,
  retirementBytes: Uint8Array,
): Promise<void> {
  const digest = retirementDigest(card.primitives, retirementBytes);
  await card.done('authorise', authorisation.encode({ operation, digest }));
}
