/** PAY: what counts for the day, and what is no match though it looks like one. */
import { profile, retirement } from '../../applet-spec/card-objects.ts';
import type { CardOnBench } from './card-on-bench.ts';
import { expectWord } from './expectation.ts';
import { billOf, paid, quoteFor, readyToPay, refusal } from './payment-checks.ts';
import { authorise } from './pool-checks.ts';
import { noon, profileOf, q1, quoteOf, refusalOf, transactionOf } from './specimens.ts';
import type { StationHand } from './station-hand.ts';

/** Of a day that no case before has reached. */
const midnight = noon - 43_200n + 10n * 86_400n;

export const laterPaymentChecks = {
  'PAY-14': async (card: CardOnBench): Promise<void> => {
    const { station, value, coins } = await readyToPay(card, 4);
    const at = (time: bigint) => quoteFor(card, value, { time, expiry: time + 300n });
    await limitDay(station, 2n * value);
    const first = at(midnight - 3_600n);
    const { coinId } = await paid(card, station, first);
    const coin = coins.find((one) => one.coinId.join() === coinId.join());
    if (coin !== undefined) {
      const { paymentId } = transactionOf(first, coin, card.life.certificate);
      await station.expect('done', 'conclude', refusalOf(paymentId));
    }
    await paid(card, station, at(midnight - 1n));
    await card.powerCycle();
    const later = await card.enterWithStation();
    const third = await refusal(card, later, at(midnight - 1n));
    expectWord('after a refusal and without power', third, 'day-limit-exceeded');
    await paid(card, later, at(midnight));
    await limitDay(later, 1_000_000n);
  },

  'PAY-15': async (card: CardOnBench): Promise<void> => {
    const smaller = card.life.nextValue();
    const { station, value } = await readyToPay(card);
    const spared = await refusal(card, station, quoteFor(card, smaller));
    expectWord('a coin of more than the sum', spared, 'no-matching-coin');
    const [own, foreign] = billOf(value, q1);
    if (own === undefined || foreign === undefined) throw new RangeError('a bill of two lines');
    const elsewhere = quoteOf(card.life.nextNumber(), { bill: [foreign, own] });
    expectWord('of the second line', await refusal(card, station, elsewhere), 'wrong-station');
    // A sum that 32 or 64 bits do not hold.
    for (const [fee, last] of [
      [2n ** 32n, value],
      [2n ** 64n - 1n, value + 1n],
    ] as const) {
      const bill = [
        { ...own, fee },
        { ...foreign, fee: last },
      ];
      const dear = await refusal(card, station, quoteOf(card.life.nextNumber(), { bill }));
      expectWord(`a bill of ${fee + last}`, dear, 'payment-limit-exceeded');
    }
  },

  'PAY-16': async (card: CardOnBench): Promise<void> => {
    const { station, quoteBytes, coins } = await readyToPay(card);
    const orderId = card.entropy.randomBytes(16);
    const coinIds = coins.map(({ coinId }) => coinId);
    const order = retirement.encode({ orderId, operation: 'refund', coinIds });
    await authorise(card, 'refund', order);
    await station.expect('done', 'retireCoins', order);
    const twice = await refusal(card, station, quoteBytes);
    expectWord('a payment with a coin that was given back', twice, 'no-matching-coin');
  },
} as const;

async function limitDay(station: StationHand, dayLimit: bigint): Promise<void> {
  await station.expect('done', 'putProfile', profile.encode(profileOf({ dayLimit })));
}
