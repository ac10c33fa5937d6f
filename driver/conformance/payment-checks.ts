/** PAY: what an expendable card signs, and what it refuses. */
import { bytesToUint, concatBytes, equalBytes } from '../../applet-spec/bytes.ts';
import {
  authorisation,
  coinErasure,
  journalAnswer,
  journalQuery,
  payAnswer,
  profile,
  retirement,
  type JournalQuery,
  type LoadedCoin,
  type PayAnswer,
} from '../../applet-spec/card-objects.ts';
import { payWithCertificate, type CardResult } from '../../applet-spec/commands.ts';
import { labels } from '../../applet-spec/labels.ts';
import { toCurrency, toStationName, toUserName } from '../../applet-spec/names.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import type { CardOnBench } from './card-on-bench.ts';
import { expectBytes, expectNumber, expectStatus, expectThat, expectWord } from './expectation.ts';
import { otherThan } from './host-checks.ts';
import { authorise } from './pool-checks.ts';
import {
  loadOf,
  noon,
  profileOf,
  q1,
  q2,
  quoteDigest,
  quoteOf,
  transactionOf,
} from './specimens.ts';
import type { StationHand } from './station-hand.ts';

const daySeconds = 86_400n;
/** Half the order of P-256: an s above it has a twin below. */
const halfOrder = 0x7fffffff800000007fffffffffffffffde737d56d38bcf4279dce5617e3192a8n;

export const paymentChecks = {
  'PAY-1': async (card: CardOnBench): Promise<void> => {
    const { station, quoteBytes, value } = await readyToPay(card);
    await station.expect('not-authorised', 'pay', quoteBytes);
    await allow(card, quoteFor(card, value));
    await station.expect('not-authorised', 'pay', quoteBytes);
    await authorise(card, 'refund', quoteBytes);
    await station.expect('not-authorised', 'pay', quoteBytes);
    await allow(card, quoteBytes);
    await card.select();
    const next = await card.enterWithStation();
    await next.expect('not-authorised', 'pay', quoteBytes);
  },

  'PAY-2': async (card: CardOnBench): Promise<void> => {
    const { station, value } = await readyToPay(card);
    const foreign = [
      ['wrong-network', { network: 'other' }],
      ['wrong-payer', { payer: toUserName('mallory@q1') }],
      ['wrong-currency', { currency: toCurrency('USD') }],
    ] as const;
    for (const [result, changes] of foreign) {
      expectWord(result, await refusal(card, station, quoteFor(card, value, changes)), result);
    }
    const elsewhere = quoteOf(card.life.nextNumber(), { bill: billOf(value, toStationName('q9')) });
    expectWord('wrong-station', await refusal(card, station, elsewhere), 'wrong-station');
  },

  'PAY-3': async (card: CardOnBench): Promise<void> => {
    const { station, value, coins } = await readyToPay(card);
    const [coin] = coins;
    const refused = (bytes: Uint8Array) => refusal(card, station, bytes);
    const dearer = quoteFor(card, card.life.nextValue());
    expectWord('a coin of another value', await refused(dearer), 'no-matching-coin');
    const late = quoteFor(card, value, { expiry: coin?.expiry ?? 0n });
    expectWord('a coin that expires with the quote', await refused(late), 'no-matching-coin');
  },

  'PAY-4': async (card: CardOnBench): Promise<void> => {
    const { station, quoteBytes, coins } = await readyToPay(card);
    const answer = await paid(card, station, quoteBytes);
    const [coin] = coins;
    if (coin === undefined) return;
    expectBytes('coin ID', answer.coinId, coin.coinId);
    expectThat(answer.certificate === undefined, 'a certificate that was not asked for');
    const { bytes } = transactionOf(quoteBytes, coin, card.life.certificate);
    const signed = concatBytes(labels.transaction, bytes);
    const holds = card.verifies(card.life.publicKey, signed, answer.signature);
    expectThat(holds, 'the signature is not that of the transaction with a low s');
    const s = bytesToUint(answer.signature.subarray(32));
    expectThat(s <= halfOrder, 'an s in the upper half of the order');
    const whole = await station.expect('done', 'pay', quoteBytes, payWithCertificate);
    const { certificate } = decodeElement(payAnswer, whole, 'answer to PAY');
    expectBytes('certificate', certificate ?? new Uint8Array(0), card.life.certificate);
    const { sw } = await card.exchange(station.wrap('pay', quoteBytes, 2));
    expectStatus('PAY with P1 02', sw, 0x6a86);
  },

  'PAY-5': async (card: CardOnBench): Promise<void> => {
    const { station, quoteBytes, value } = await readyToPay(card, 2);
    const first = await paid(card, station, quoteBytes);
    await card.powerCycle();
    const later = await card.enterWithStation();
    const again = await later.expect('done', 'pay', quoteBytes);
    expectBytes('answer to the repeat', again, payAnswer.encode(first));
    const other = await paid(card, later, quoteFor(card, value));
    expectThat(!equalBytes(other.coinId, first.coinId), 'two payments with one coin');
  },

  'PAY-6': async (card: CardOnBench): Promise<void> => {
    const { station, quoteBytes, value } = await readyToPay(card);
    const unpayable = quoteFor(card, value, { network: 'other' });
    expectWord('a refused PAY', await refusal(card, station, unpayable), 'wrong-network');
    await station.expect('not-authorised', 'pay', unpayable);
    await allow(card, quoteBytes);
    await station.expect('done', 'pay', quoteBytes);
    await station.expect('not-authorised', 'pay', quoteFor(card, value));
  },

  'PAY-7': async (card: CardOnBench): Promise<void> => {
    const { station, value } = await readyToPay(card, 4);
    const day = noon + 7n * daySeconds;
    const at = (time: bigint) => quoteFor(card, value, { time, expiry: time + 300n });
    const limit = (changes: Parameters<typeof profileOf>[0]) =>
      station.expect('done', 'putProfile', profile.encode(profileOf(changes)));
    await limit({ paymentLimit: value - 1n, dayLimit: 1_000_000n });
    const above = await refusal(card, station, at(noon));
    expectWord('above the payment limit', above, 'payment-limit-exceeded');
    await limit({ dayLimit: 2n * value });
    await paid(card, station, at(day));
    await paid(card, station, at(day + 60n));
    const third = await refusal(card, station, at(day + 120n));
    expectWord('above the day limit', third, 'day-limit-exceeded');
    const earlier = await refusal(card, station, at(day - daySeconds));
    expectWord('an earlier day', earlier, 'day-limit-exceeded');
    await paid(card, station, at(day + daySeconds));
    await limit({ dayLimit: 1_000_000n });
  },

  'PAY-8': async (card: CardOnBench): Promise<void> => {
    const count = 24;
    const picks = 7;
    const { station, value, coins } = await readyToPay(card, count);
    const order = coins.map(({ coinId }) => coinId.join());
    const picked: number[] = [];
    for (let i = 0; i < picks; i++) {
      const { coinId } = await paid(card, station, quoteFor(card, value));
      picked.push(order.indexOf(coinId.join()));
    }
    expectNumber('coins spent twice', picked.length - new Set(picked).size, 0);
    const steps = picked.slice(1).map((at, i) => at - (picked[i] ?? 0));
    const inOrder = steps.every((step) => step === 1) || steps.every((step) => step === -1);
    expectThat(!inOrder, 'coins are picked in the order in which they were loaded');
  },

  'PAY-9': async (card: CardOnBench): Promise<void> => {
    const { station, quoteBytes, coins, value } = await readyToPay(card);
    await paid(card, station, quoteBytes);
    const coinIds = coins.map(({ coinId }) => coinId);
    await station.expect('not-unspent', 'eraseCoins', coinErasure.encode({ coinIds }));
    const order = { orderId: card.entropy.randomBytes(16), operation: 'refund', coinIds } as const;
    await authorise(card, 'refund', retirement.encode(order));
    await station.expect('not-unspent', 'retireCoins', retirement.encode(order));
    const more = await refusal(card, station, quoteFor(card, value));
    expectWord('another payment with its coin', more, 'no-matching-coin');
  },

  'PAY-10': async (card: CardOnBench): Promise<void> => {
    const { station, quoteBytes, coins } = await readyToPay(card);
    const [coin] = coins;
    if (coin === undefined) return;
    const { signature } = await paid(card, station, quoteBytes);
    const { paymentId } = transactionOf(quoteBytes, coin, card.life.certificate);
    const digest = quoteDigest(quoteBytes);
    for (const query of [{ paymentId }, { quoteDigest: digest }, { coinId: coin.coinId }]) {
      const { payment, coin: held } = await journal(station, query);
      expectBytes('payment ID', payment?.paymentId ?? new Uint8Array(0), paymentId);
      expectBytes('signature', payment?.signature ?? new Uint8Array(0), signature);
      expectWord('state of the key', payment?.state ?? 'none', 'provisional');
      expectWord('state of the coin', held?.state ?? 'none', 'signed');
    }
    const nothing = await journal(station, { quoteDigest: new Uint8Array(32) });
    expectThat(nothing.payment === undefined && nothing.coin === undefined, 'a journal of nothing');
  },

  'PAY-11': async (card: CardOnBench): Promise<void> => {
    const { quoteBytes, value } = await readyToPay(card, 2);
    await allow(card, quoteBytes);
    const next = await card.openSession();
    await next.expect('done', 'pay', quoteBytes);
    const [former, latter] = [quoteFor(card, value), quoteFor(card, value)];
    await allow(card, former);
    await allow(card, latter);
    await next.expect('not-authorised', 'pay', former);
    await card.verify(otherThan(card.knownPin));
    expectStatus('VERIFY', await card.verify(card.knownPin), 0x9000);
    await next.expect('not-authorised', 'pay', latter);
  },

  'PAY-12': async (card: CardOnBench): Promise<void> => {
    const { station, value } = await readyToPay(card);
    const profileWith = (changes: Parameters<typeof profileOf>[0]) =>
      station.expect('done', 'putProfile', profile.encode(profileOf(changes)));
    const dear = card.life.nextValue();
    const wrong = {
      network: 'other',
      payer: toUserName('mallory@q1'),
      bill: billOf(dear, toStationName('q9')),
      currency: toCurrency('USD'),
    };
    const { network: _1, ...ofNetwork } = wrong;
    const { payer: _2, ...ofPayer } = ofNetwork;
    const ofStation = { ...ofPayer, bill: billOf(dear, q1) };
    await profileWith({ paymentLimit: dear - 1n, dayLimit: 0n });
    const first = (changes: Parameters<typeof quoteOf>[1]) =>
      refusal(card, station, quoteFor(card, dear, changes));
    expectWord('of all', await first(wrong), 'wrong-network');
    expectWord('of all but the network', await first(ofNetwork), 'wrong-payer');
    expectWord('of the last three', await first(ofPayer), 'wrong-station');
    expectWord('of the last two', await first(ofStation), 'wrong-currency');
    const { bill } = ofStation;
    expectWord('of both limits', await first({ bill }), 'payment-limit-exceeded');
    await profileWith({ paymentLimit: dear, dayLimit: 0n });
    expectWord('of limit and coin', await first({ bill }), 'day-limit-exceeded');
    await profileWith({ paymentLimit: value, dayLimit: 1_000_000n });
    await paid(card, station, quoteFor(card, value));
    await profileWith({ dayLimit: 1_000_000n });
  },
} as const;

export interface Ready {
  readonly station: StationHand;
  /** Of this sum, and no other coin on the card is. */
  readonly value: bigint;
  readonly coins: readonly LoadedCoin[];
  readonly quoteBytes: Uint8Array;
}

/** The PIN, a session, and coins of a value that no other coin has. */
export async function readyToPay(card: CardOnBench, count = 1): Promise<Ready> {
  const station = await card.enterWithStation();
  const value = card.life.nextValue();
  const coins = Array.from({ length: count }, () => card.life.nextCoin({ value }));
  await station.expect('done', 'loadCoins', loadOf(...coins));
  return { station, value, coins, quoteBytes: quoteFor(card, value) };
}

export function quoteFor(
  card: CardOnBench,
  value: bigint,
  changes: Parameters<typeof quoteOf>[1] = {},
): Uint8Array {
  return quoteOf(card.life.nextNumber(), { bill: billOf(value, q1), ...changes });
}

/** The host's hand for a payment. */
export async function allow(card: CardOnBench, quoteBytes: Uint8Array): Promise<void> {
  const digest = quoteDigest(quoteBytes);
  await card.done('authorise', authorisation.encode({ operation: 'pay', digest }));
}

/** AUTHORISE and PAY. */
export async function paid(
  card: CardOnBench,
  station: StationHand,
  quoteBytes: Uint8Array,
): Promise<PayAnswer> {
  await allow(card, quoteBytes);
  const payload = await station.expect('done', 'pay', quoteBytes);
  return decodeElement(payAnswer, payload, 'answer to PAY');
}

export async function refusal(
  card: CardOnBench,
  station: StationHand,
  quoteBytes: Uint8Array,
): Promise<CardResult> {
  await allow(card, quoteBytes);
  return (await station.send('pay', quoteBytes)).result;
}

export async function journal(station: StationHand, query: JournalQuery) {
  const payload = await station.expect('done', 'queryJournal', journalQuery.encode(query));
  return decodeElement(journalAnswer, payload, 'answer to QUERY JOURNAL');
}

export function billOf(value: bigint, first: typeof q1) {
  const announcement = new Uint8Array(16);
  return [
    { station: first, fee: value - 40n, announcement },
    { station: q2, fee: 40n, announcement },
  ];
}
