import { expect, it } from 'vitest';
import { toHex } from '../../applet-spec/bytes.ts';
import {
  coinErasure,
  coinPage,
  retirement,
  retirementDigest,
  type CoinEntry,
  type LoadedCoin,
  type Retirement,
} from '../../applet-spec/card-objects.ts';
import type { CardResult } from '../../applet-spec/commands.ts';
import { limits } from '../../applet-spec/limits.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import type { TestStation } from './applet-host.ts';
import {
  coinOf,
  loadOf,
  noon,
  quoteOf,
  receiptOf,
  strangerKey,
  transactionOf,
} from './applet-papers.ts';
import { blank, journal, load, paid, type MakeBlankCard, type Subject } from './applet-subject.ts';

const retired = retirementOf(1, coinOf(1), coinOf(2));

export function describePool(make: MakeBlankCard): void {
  it('loads each coin once, however often it comes', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1), coinOf(2));
    await load(station, coinOf(2), coinOf(3), coinOf(3));
    expect(await coinIds(subject)).toEqual([1, 2, 3].map((n) => toHex(coinOf(n).coinId)));
  });

  it('loads all or none', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1));
    for (const changed of [
      coinOf(1, { value: 1n }),
      coinOf(1, { expiry: 1n }),
      coinOf(1, { secret: new Uint8Array(32) }),
    ]) {
      expect((await station.send('loadCoins', loadOf(coinOf(2), changed))).result).toBe('conflict');
    }
    expect((await subject.info()).coins).toBe(1);
  });

  it('holds a thousand coins and says when it is full', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    for (let n = 0; n < limits.cardCoins - 1; n += limits.loadCoins) {
      const count = Math.min(limits.loadCoins, limits.cardCoins - 1 - n);
      await load(station, ...Array.from({ length: count }, (_, i) => coinOf(n + i)));
    }
    const two = loadOf(coinOf(5_000), coinOf(5_001));
    expect((await station.send('loadCoins', two)).result).toBe('pool-full');
    await load(station, coinOf(5_000));
    expect((await station.send('loadCoins', loadOf(coinOf(5_001)))).result).toBe('pool-full');
    expect(new Set(await coinIds(subject)).size).toBe(limits.cardCoins);
  });

  it('never takes back a coin that it had and lost', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1), coinOf(2));
    await subject.host.authorise('refund', digestOf(retired));
    await station.done('retireCoins', retirement.encode(retired));
    await erase(station, coinOf(1), coinOf(2));
    const again = loadOf(coinOf(3), coinOf(1));
    expect((await station.send('loadCoins', again)).result).toBe('not-unspent');
    expect((await subject.info()).coins).toBe(0);
  });

  it('knows a coin that paid as long as its key is there, however many left since', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(0));
    await paid(station, quoteOf(1));
    const { paymentId } = transactionOf(quoteOf(1), coinOf(0), subject.certificate);
    await station.done('conclude', receiptOf(paymentId));
    for (let n = 1; n <= limits.cardGoneCoins; n += limits.loadCoins) {
      const passing = Array.from({ length: limits.loadCoins }, (_, i) => coinOf(n + i));
      await load(station, ...passing);
      expect(await eraseResult(station, coinOf(0).expiry, ...passing)).toBe('done');
    }
    expect((await station.send('loadCoins', loadOf(coinOf(0)))).result).toBe('not-unspent');
  });

  it('retires what the host authorised, once for each order', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1), coinOf(2), coinOf(3));
    expect(await retire(station, retired)).toBe('not-authorised');
    await subject.host.authorise('exchange', digestOf(retired));
    expect(await retire(station, retired)).toBe('not-authorised');
    await subject.host.authorise('refund', digestOf(retired));
    expect(await retire(station, retirementOf(1, coinOf(1), coinOf(3)))).toBe('not-authorised');
    expect(await retire(station, retired)).toBe('done');
    expect(await states(subject)).toEqual(['retiring', 'retiring', 'unspent']);
    // The answer may have been lost: the same order is done, another one has to be authorised.
    expect(await retire(station, retired)).toBe('done');
    const other = retirementOf(2, coinOf(1), coinOf(2));
    expect(await retire(station, other)).toBe('not-authorised');
    await subject.host.authorise('refund', digestOf(other));
    expect(await retire(station, other)).toBe('not-unspent');
  });

  it('retires neither a signed coin nor one that it has not', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1));
    await paid(station, quoteOf(1));
    await load(station, coinOf(2));
    const signed = retirementOf(1, coinOf(1), coinOf(2));
    await subject.host.authorise('refund', digestOf(signed));
    expect(await retire(station, signed)).toBe('not-unspent');
    const absent = retirementOf(1, coinOf(2), coinOf(9));
    await subject.host.authorise('refund', digestOf(absent));
    expect(await retire(station, absent)).toBe('not-found');
    // The authorisation is used up, whatever came of it.
    await load(station, coinOf(9));
    expect(await retire(station, absent)).toBe('not-authorised');
    expect(await states(subject)).toEqual(['signed', 'unspent', 'unspent']);
  });

  it('retires no coin that is named twice', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1), coinOf(2));
    const twice = retirementOf(1, coinOf(1), coinOf(1));
    await subject.host.authorise('refund', digestOf(twice));
    await expect(retire(station, twice)).rejects.toMatchObject({ sw: 0x6a80 });
    expect(await states(subject)).toEqual(['unspent', 'unspent']);
  });

  it('pays with no coin that is retiring', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1), coinOf(2));
    await subject.host.authorise('refund', digestOf(retired));
    await retire(station, retired);
    await expect(paid(station, quoteOf(1))).rejects.toThrow('no-matching-coin');
  });

  it('erases retiring coins, and unspent ones that it knows to have expired', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1), coinOf(2), coinOf(3));
    expect(await eraseResult(station, undefined, coinOf(3))).toBe('conflict');
    expect(await eraseResult(station, coinOf(3).expiry - 1n, coinOf(3))).toBe('conflict');
    expect(await eraseResult(station, coinOf(3).expiry, coinOf(3))).toBe('done');
    expect(await eraseResult(station, undefined, coinOf(3))).toBe('done');
    expect((await subject.info()).coins).toBe(2);
  });

  it('knows the time from quotes that it signed and from verdicts that it believed', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    const [early, late] = [coinOf(3, { expiry: noon + 50n }), coinOf(4, { expiry: noon + 90n })];
    await load(station, coinOf(1), early, late);
    const quoteBytes = quoteOf(1, { time: noon + 50n });
    expect(await eraseResult(station, undefined, early)).toBe('conflict');
    await paid(station, quoteBytes);
    expect(await eraseResult(station, undefined, early)).toBe('done');
    const { paymentId } = transactionOf(quoteBytes, coinOf(1), subject.certificate);
    await station.send('conclude', receiptOf(paymentId, { time: noon + 90n }, strangerKey));
    expect(await eraseResult(station, undefined, late)).toBe('conflict');
    await station.done('conclude', receiptOf(paymentId, { time: noon + 90n }));
    expect(await eraseResult(station, noon, late)).toBe('done');
  });

  it('erases no signed coin', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1));
    await paid(station, quoteOf(1));
    expect(await eraseResult(station, noon + 9_000_000n, coinOf(1))).toBe('not-unspent');
  });

  it('answers the journal about coins', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1));
    const { coinId, value, expiry } = coinOf(1);
    expect(await journal(station, { coinId })).toEqual({
      coin: { coinId, value, expiry, state: 'unspent' },
    });
    expect(await journal(station, { coinId: coinOf(2).coinId })).toEqual({});
  });
}

function retirementOf(order: number, ...coins: readonly LoadedCoin[]): Retirement {
  return {
    orderId: new Uint8Array(16).fill(order),
    operation: 'refund',
    coinIds: coins.map(({ coinId }) => coinId),
  };
}

function digestOf(wanted: Retirement): Uint8Array {
  return retirementDigest(primitives, retirement.encode(wanted));
}

async function retire(station: TestStation, wanted: Retirement): Promise<CardResult> {
  return (await station.send('retireCoins', retirement.encode(wanted))).result;
}

async function erase(station: TestStation, ...coins: readonly LoadedCoin[]): Promise<void> {
  expect(await eraseResult(station, undefined, ...coins)).toBe('done');
}

async function eraseResult(
  station: TestStation,
  time: bigint | undefined,
  ...coins: readonly LoadedCoin[]
): Promise<CardResult> {
  const coinIds = coins.map(({ coinId }) => coinId);
  const data = coinErasure.encode({ coinIds, ...(time !== undefined && { time }) });
  return (await station.send('eraseCoins', data)).result;
}

async function list({ host }: Subject): Promise<readonly CoinEntry[]> {
  const entries: CoinEntry[] = [];
  for (;;) {
    const [p1, p2] = [entries.length >> 8, entries.length & 0xff];
    const data = await host.done('listCoins', new Uint8Array(0), p1, p2);
    const page = decodeElement(coinPage, data, 'coins');
    entries.push(...page.entries);
    if (entries.length >= page.total || page.entries.length === 0) return entries;
  }
}

async function coinIds(subject: Subject): Promise<readonly string[]> {
  return (await list(subject)).map(({ coinId }) => toHex(coinId));
}

async function states(subject: Subject): Promise<readonly CoinEntry['state'][]> {
  return (await list(subject)).map(({ state }) => state);
}
