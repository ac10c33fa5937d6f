/** ROOM: what a card remembers, and what it has no room for. They fill it, and come last. */
import {
  coinErasure,
  offer as offerObject,
  type LoadedCoin,
} from '../../applet-spec/card-objects.ts';
import { limits } from '../../applet-spec/limits.ts';
import type { CardOnBench } from './card-on-bench.ts';
import { expectNumber, expectWord } from './expectation.ts';
import { allow, paid, quoteFor, readyToPay } from './payment-checks.ts';
import { incoming, takeOffer } from './peer-key-checks.ts';
import { bob, homeKey, lastKey, loadOf, noon, q1, receiptOf, transactionOf } from './specimens.ts';

/** Than all that the cases before told the card. */
const later = noon + 40n * 86_400n;

export const roomChecks = {
  'ROOM-1': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const load = async (changes: Partial<LoadedCoin>): Promise<LoadedCoin> => {
      const coin = card.life.nextCoin(changes);
      await station.expect('done', 'loadCoins', loadOf(coin));
      return coin;
    };
    const erase = (wanted: 'done' | 'conflict', coin: LoadedCoin, time?: bigint) =>
      station.expect(wanted, 'eraseCoins', erasureOf([coin], time));
    const toQuote = await load({ expiry: later });
    const toVerdict = await load({ expiry: later + 10n });
    const [toErasure, after] = [
      await load({ expiry: later + 20n }),
      await load({ expiry: later + 20n }),
    ];
    const value = card.life.nextValue();
    const spent = await load({ value, expiry: later + 1_000n });
    await erase('conflict', toQuote);
    const quoteBytes = quoteFor(card, value, { time: later, expiry: later + 300n });
    await paid(card, station, quoteBytes);
    await erase('done', toQuote);
    await erase('conflict', toVerdict);
    const { paymentId } = transactionOf(quoteBytes, spent, card.life.certificate);
    const verdict = receiptOf(paymentId, { time: later + 10n }, lastKey);
    await station.expect('done', 'conclude', verdict);
    await erase('done', toVerdict);
    await erase('conflict', toErasure);
    await erase('done', toErasure, later + 20n);
    await erase('done', after);
    card.life.spent = spent;
  },

  'ROOM-2': async (card: CardOnBench): Promise<void> => {
    const { station, quoteBytes } = await readyToPay(card);
    const { peerKeys, peerKeysCapacity } = await card.info();
    let last = await takeOffer(card, station);
    for (let slots = peerKeys + 1; slots < peerKeysCapacity; slots++) {
      last = await takeOffer(card, station);
    }
    expectNumber('slots', (await card.info()).peerKeys, limits.cardPeerKeys);
    await allow(card, quoteBytes);
    await station.expect('peer-keys-full', 'pay', quoteBytes);
    const { transaction, secret } = incoming(card);
    const offer = (coinSecret: Uint8Array) =>
      station.send('offer', offerObject.encode({ payer: bob, transaction, coinSecret }));
    expectWord('an offer', (await offer(secret)).result, 'peer-keys-full');
    const mismatch = (await offer(new Uint8Array(32))).result;
    expectWord('an offer of another secret', mismatch, 'commitment-mismatch');
    const undelivered = { station: q1, verdict: 'undelivered' } as const;
    await station.expect('done', 'conclude', receiptOf(last.paymentId, undelivered, homeKey));
    await card.done('erasePeerKey', last.paymentId);
    await paid(card, station, quoteBytes);
  },

  'ROOM-3': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const load = (wanted: 'done' | 'pool-full', coins: readonly LoadedCoin[]) =>
      station.expect(wanted, 'loadCoins', loadOf(...coins));
    const { coins, coinsCapacity } = await card.info();
    const loads = handfuls(card, coinsCapacity - coins);
    for (const some of loads) await load('done', some);
    expectNumber('coins', (await card.info()).coins, limits.cardCoins);
    const [first = [], second = []] = loads;
    const [one] = first;
    if (one === undefined) return;
    await load('pool-full', [card.life.nextCoin()]);
    await load('done', second);
    await station.expect('done', 'eraseCoins', erasureOf([one], later));
    await load('pool-full', [card.life.nextCoin(), card.life.nextCoin()]);
    expectNumber('coins after it', (await card.info()).coins, limits.cardCoins - 1);
    await load('done', [card.life.nextCoin()]);
    // Room for the next case.
    await station.expect('done', 'eraseCoins', erasureOf(second, later));
  },

  'ROOM-4': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const all = handfuls(card, limits.cardGoneCoins);
    for (const some of all) {
      await station.expect('done', 'loadCoins', loadOf(...some));
      await station.expect('done', 'eraseCoins', erasureOf(some, later));
    }
    for (const coin of [card.life.spent, ...(all[0]?.slice(0, 1) ?? [])]) {
      await station.expect('not-unspent', 'loadCoins', loadOf(coin));
    }
  },
} as const;

/** So many coins, as one command takes them; they have expired at `later`. */
function handfuls(card: CardOnBench, count: number): readonly (readonly LoadedCoin[])[] {
  const { loadCoins } = limits;
  return Array.from({ length: Math.ceil(count / loadCoins) }, (_, i) =>
    Array.from({ length: Math.min(loadCoins, count - i * loadCoins) }, () => card.life.nextCoin()),
  );
}

function erasureOf(coins: readonly LoadedCoin[], time?: bigint): Uint8Array {
  const coinIds = coins.map(({ coinId }) => coinId);
  return coinErasure.encode({ coinIds, ...(time !== undefined && { time }) });
}
