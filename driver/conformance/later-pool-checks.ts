/** POOL, of coins that come again, and of commands of which one coin is refused. */
import { coinErasure, retirement, type LoadedCoin } from '../../applet-spec/card-objects.ts';
import { equalBytes } from '../../applet-spec/bytes.ts';
import type { CardOnBench } from './card-on-bench.ts';
import { expectNumber, expectWord, NotConforming } from './expectation.ts';
import { paid, quoteFor, readyToPay } from './payment-checks.ts';
import { authorise, coinsOn } from './pool-checks.ts';
import { loadOf, noon } from './specimens.ts';
import type { StationHand } from './station-hand.ts';

export const laterPoolChecks = {
  'POOL-7': async (card: CardOnBench): Promise<void> => {
    const { station, quoteBytes, coins } = await readyToPay(card);
    await paid(card, station, quoteBytes);
    const [signed] = coins;
    if (signed === undefined) throw new RangeError('nothing was loaded');
    const retiring = card.life.nextCoin();
    await station.expect('done', 'loadCoins', loadOf(retiring));
    const order = retirement.encode({
      orderId: card.entropy.randomBytes(16),
      operation: 'exchange',
      coinIds: [retiring.coinId],
    });
    await authorise(card, 'exchange', order);
    await station.expect('done', 'retireCoins', order);
    await station.expect('done', 'loadCoins', loadOf(signed, retiring, card.life.nextCoin()));
    expectWord('a signed coin', await stateOn(card, signed), 'signed');
    expectWord('a retiring coin', await stateOn(card, retiring), 'retiring');
  },

  'POOL-8': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const [gone] = card.life.gone;
    if (gone === undefined) throw new NotConforming('no coin has left the card: see POOL-4');
    const [one, two] = [card.life.nextCoin(), card.life.nextCoin()];
    await station.expect('not-unspent', 'loadCoins', loadOf(one, gone));
    await station.expect('conflict', 'loadCoins', loadOf(one, two, { ...one, value: 1n }));
    expectWord('a coin of a refused load', await stateOn(card, one), 'none');
    const before = (await card.info()).coins;
    await station.expect('done', 'loadCoins', loadOf(one, one));
    expectNumber('coins, one of them twice', (await card.info()).coins, before + 1);
    const [first, second] = [one.coinId, two.coinId];
    for (const [coinIds, refused] of [
      [[first, second], 'not-found'],
      [[first, await signedCoin(card, station)], 'not-unspent'],
    ] as const) {
      const order = retirement.encode({
        orderId: card.entropy.randomBytes(16),
        operation: 'refund',
        coinIds,
      });
      await authorise(card, 'refund', order);
      await station.expect(refused, 'retireCoins', order);
    }
    const early = card.life.nextCoin({ expiry: noon - 100n });
    await station.expect('done', 'loadCoins', loadOf(early));
    const erasure = coinErasure.encode({ coinIds: [early.coinId, first], time: noon });
    await station.expect('conflict', 'eraseCoins', erasure);
    expectWord('a coin of a refused retirement', await stateOn(card, one), 'unspent');
    expectWord('a coin of a refused erasure', await stateOn(card, early), 'unspent');
  },
} as const;

/** The coin of a payment that waits for its verdict. */
async function signedCoin(card: CardOnBench, station: StationHand): Promise<Uint8Array> {
  const value = card.life.nextValue();
  const coin = card.life.nextCoin({ value });
  await station.expect('done', 'loadCoins', loadOf(coin));
  await paid(card, station, quoteFor(card, value));
  return coin.coinId;
}

async function stateOn(card: CardOnBench, { coinId }: LoadedCoin): Promise<string> {
  return (await coinsOn(card)).find((held) => equalBytes(held.coinId, coinId))?.state ?? 'none';
}
