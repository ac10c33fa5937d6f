import { expect, it } from 'vitest';
import { concatBytes } from '../../applet-spec/bytes.ts';
import {
  payAnswer,
  signatureCheck,
  type LoadedCoin,
  type SignatureCheck,
} from '../../applet-spec/card-objects.ts';
import type { CardResult } from '../../applet-spec/commands.ts';
import { labels } from '../../applet-spec/labels.ts';
import { limits } from '../../applet-spec/limits.ts';
import { toCurrency, toStationName, toUserName } from '../../applet-spec/names.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import type { BillLine, QuoteBody } from '../../applet-spec/quote.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import {
  bob,
  coinOf,
  lastKey,
  noon,
  q1,
  q2,
  quoteDigest,
  quoteOf,
  receiptOf,
  strangerKey,
  transactionOf,
} from './applet-papers.ts';
import { blank, journal, load, offered, paid, pay, type MakeBlankCard } from './applet-subject.ts';

const announcement = new Uint8Array(16);
const daySeconds = 86_400n;

export function describePayment(make: MakeBlankCard): void {
  it('S32, S33: picks a coin of exactly the bill’s sum and signs the transaction', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1, { value: 99n }), coinOf(2), coinOf(3, { value: 101n }));
    const quoteBytes = quoteOf(1);
    const { coinId, signature, certificate } = await paid(station, quoteBytes);
    expect(coinId).toEqual(coinOf(2).coinId);
    expect(certificate).toEqual(subject.certificate);
    const { bytes, paymentId } = transactionOf(quoteBytes, coinOf(2), subject.certificate);
    const key = primitives.verifyingKey(subject.publicKey);
    expect(key.verify(concatBytes(labels.transaction, bytes), signature)).toBe(true);
    expect(await subject.peerKeys()).toMatchObject([
      { paymentId, role: 'payer', state: 'provisional', peer: bob, coinId, sendEpoch: 0n },
    ]);
  });

  it('S6: tells its own signature from any other, after the PIN', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1));
    const quoteBytes = quoteOf(1);
    const { signature } = await paid(station, quoteBytes);
    const { bytes: own } = transactionOf(quoteBytes, coinOf(1), subject.certificate);
    const asked = (over: Partial<SignatureCheck>): Uint8Array =>
      signatureCheck.encode({ transaction: own, signature, ...over });
    const answers = async (over: Partial<SignatureCheck>) =>
      subject.host.send('checkSignature', asked(over));
    expect(await answers({})).toMatchObject({ sw: 0x9000, data: Uint8Array.of(1) });
    const { bytes: other } = transactionOf(quoteOf(2), coinOf(1), subject.certificate);
    expect(await answers({ transaction: other })).toMatchObject({ data: Uint8Array.of(0) });
    const forged = strangerKey.sign(concatBytes(labels.transaction, own));
    expect(await answers({ signature: forged })).toMatchObject({ data: Uint8Array.of(0) });
    const { bytes: earlier } = transactionOf(quoteBytes, coinOf(1), new Uint8Array(300));
    expect(await answers({ transaction: earlier })).toMatchObject({ sw: 0x6a88 });
    expect(await answers({ paymentId: new Uint8Array(32) })).toMatchObject({ sw: 0x6a80 });
    const neither = signatureCheck.encode({ signature });
    expect((await subject.host.send('checkSignature', neither)).sw).toBe(0x6a80);
    await subject.host.select();
    expect((await subject.host.send('checkSignature', asked({}))).sw).toBe(0x6982);
  });

  it('S32: picks at random', async () => {
    const subject = await blank(make);
    const station = await subject.enrol({ dayLimit: 1_000_000n });
    await load(station, ...Array.from({ length: 24 }, (_, i) => coinOf(i)));
    const picked: number[] = [];
    for (let n = 0; n < 12; n++) {
      const { coinId } = await paid(station, quoteOf(n));
      picked.push(Array.from({ length: 24 }, (_, i) => i).findIndex((i) => same(coinId, i)));
    }
    expect(new Set(picked).size).toBe(12);
    expect(picked).not.toEqual([...picked].sort((a, b) => a - b));
    expect(picked).not.toEqual([...picked].sort((a, b) => b - a));
  });

  it('leaves the certificate out where it is not asked for', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1));
    const { payload } = await pay(station, quoteOf(1), 0);
    expect(decodeElement(payAnswer, payload, 'answer').certificate).toBeUndefined();
  });

  it('answers a repeated PAY with the same signature, also after the verdict', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1), coinOf(2));
    const first = await paid(station, quoteOf(1));
    const repeat = async (): Promise<unknown> =>
      decodeElement(payAnswer, await station.done('pay', quoteOf(1), 1), 'answer');
    expect(await repeat()).toEqual(first);
    const { paymentId } = transactionOf(quoteOf(1), coinWith(first), subject.certificate);
    await station.done('conclude', receiptOf(paymentId));
    expect(await repeat()).toEqual(first);
    expect((await subject.info()).coins).toBe(1);
  });

  it('neither hand spends alone', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1));
    expect((await station.send('pay', quoteOf(1))).result).toBe('not-authorised');
    await subject.host.authorise('pay', quoteDigest(quoteOf(2)));
    expect((await station.send('pay', quoteOf(1))).result).toBe('not-authorised');
    await subject.host.authorise('refund', quoteDigest(quoteOf(1)));
    expect((await station.send('pay', quoteOf(1))).result).toBe('not-authorised');
    await subject.host.select();
    const digest = quoteDigest(quoteOf(1));
    await expect(subject.host.authorise('pay', digest)).rejects.toThrow('6982');
    expect((await journal(await subject.connect(), { quoteDigest: digest })).payment).toBe(
      undefined,
    );
  });

  it('forgets an authorisation with SELECT and with a wrong PIN', async () => {
    const subject = await blank(make);
    await subject.enrol();
    await load(await subject.connect(), coinOf(1));
    await subject.host.authorise('pay', quoteDigest(quoteOf(1)));
    expect((await (await subject.connect()).send('pay', quoteOf(1))).result).toBe('not-authorised');
    await subject.host.authorise('pay', quoteDigest(quoteOf(1)));
    await subject.host.verify('0000');
    expect((await (await subject.openSession()).send('pay', quoteOf(1))).result).toBe(
      'not-authorised',
    );
  });

  it('uses an authorisation up, also when the payment is refused', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    expect((await pay(station, quoteOf(1))).result).toBe('no-matching-coin');
    await load(station, coinOf(1), coinOf(2));
    expect((await station.send('pay', quoteOf(1))).result).toBe('not-authorised');
    // A key that its owner erased is not paid for a second time unasked.
    const first = await paid(station, quoteOf(1));
    const coin = coinWith(first);
    const { paymentId } = transactionOf(quoteOf(1), coin, subject.certificate);
    await station.done('conclude', receiptOf(paymentId));
    await subject.host.done('erasePeerKey', paymentId);
    expect((await station.send('pay', quoteOf(1))).result).toBe('not-authorised');
  });

  const lines = (...fees: readonly bigint[]): readonly BillLine[] =>
    fees.map((fee, i) => ({ station: i === 0 ? q1 : q2, fee, announcement }));
  const refused: readonly (readonly [CardResult, string, Partial<QuoteBody>])[] = [
    ['wrong-network', 'another network', { network: 'other' }],
    ['wrong-payer', 'another payer', { payer: toUserName('mallory@q1') }],
    ['wrong-station', 'a bill that another station leads', { bill: lines(100n, 0n).toReversed() }],
    ['wrong-currency', 'another currency', { currency: toCurrency('USD') }],
    ['payment-limit-exceeded', 'more than a payment may cost', { bill: lines(900n, 101n) }],
    ['no-matching-coin', 'a sum that no coin has', { bill: lines(60n, 41n) }],
    ['no-matching-coin', 'a quote that outlives the coins', { expiry: coinOf(1).expiry }],
  ];
  it.each(refused)('%s: %s', async (result, _what, changes) => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1), coinOf(2, { value: 1_001n }));
    expect((await pay(station, quoteOf(1, changes))).result).toBe(result);
    expect(await subject.peerKeys()).toEqual([]);
    // Nothing is lost: the coin still pays.
    await paid(station, quoteOf(2));
  });

  it('pays though it holds a key that somebody else paid for', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    const { bytes } = transactionOf(quoteOf(9), coinOf(9), new Uint8Array(300));
    expect((await offered(station, bytes, coinOf(9).secret)).result).toBe('done');
    await load(station, coinOf(1));
    await paid(station, quoteOf(1));
    expect(await subject.peerKeys()).toMatchObject([{ role: 'payee' }, { role: 'payer' }]);
  });

  it('takes no quote that names a last station’s key which is no point of P-256', async () => {
    const subject = await blank(make);
    await load(await subject.enrol(), coinOf(1));
    const payeeStationKey = lastKey.publicKey.slice();
    payeeStationKey[64] = (payeeStationKey[64] ?? 0) ^ 1;
    const station = await subject.connect();
    await expect(pay(station, quoteOf(1, { payeeStationKey }))).rejects.toMatchObject({
      sw: 0x6a80,
    });
    await paid(await subject.connect(), quoteOf(2));
  });

  it('takes a quote of sixteen long-named stations, in at most eight short APDUs', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1));
    const bill = Array.from({ length: limits.routeStationsMost }, (_, i) => ({
      station: i === 0 ? q1 : toStationName(`q${i}`.padEnd(limits.stationNameBytes, 'x')),
      fee: i === 0 ? 85n : 1n,
      announcement,
    }));
    const before = subject.wire.length;
    expect((await pay(station, quoteOf(1, { bill }), 0)).result).toBe('done');
    // AUTHORISE, PAY and all GET RESPONSE; an APDU and its answer are two entries.
    expect((subject.wire.length - before) / 2).toBeLessThanOrEqual(8);
  });

  it('pays as much as one payment may cost', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1, { value: 1_000n }));
    await paid(station, quoteOf(1, { bill: lines(900n, 100n) }));
  });

  it('keeps to the limit of the day, and to the next day’s', async () => {
    const subject = await blank(make);
    const station = await subject.enrol({ dayLimit: 200n });
    await load(station, coinOf(1), coinOf(2), coinOf(3), coinOf(4));
    await paid(station, quoteOf(1));
    await paid(station, quoteOf(2, { time: noon + 3_600n }));
    const midnight = noon + daySeconds / 2n;
    const late = quoteOf(3, { time: midnight - 1n });
    expect((await pay(station, late)).result).toBe('day-limit-exceeded');
    // A quote of an earlier day counts for the latest one that the card knows.
    const yesterday = { time: noon - daySeconds };
    expect((await pay(station, quoteOf(4, yesterday))).result).toBe('day-limit-exceeded');
    await paid(station, quoteOf(5, { time: midnight }));
  });

  it('needs a free slot for the key', async () => {
    const subject = await blank(make);
    const station = await subject.enrol({ dayLimit: 1_000_000n });
    const coins = Array.from({ length: limits.cardPeerKeys + 1 }, (_, i) => coinOf(i));
    for (let n = 0; n < coins.length; n += 32) await load(station, ...coins.slice(n, n + 32));
    for (let n = 0; n < limits.cardPeerKeys; n++) await paid(station, quoteOf(n));
    expect((await pay(station, quoteOf(999))).result).toBe('peer-keys-full');
    expect(await subject.info()).toMatchObject({ peerKeys: 64, coins: 65 });
  });

  it('tells in the journal what it signed, by payment, quote and coin', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1));
    const { coinId, signature } = await paid(station, quoteOf(1));
    const { paymentId } = transactionOf(quoteOf(1), coinOf(1), subject.certificate);
    const digest = quoteDigest(quoteOf(1));
    const { value, expiry } = coinOf(1);
    for (const query of [{ paymentId }, { quoteDigest: digest }, { coinId }]) {
      expect(await journal(station, query)).toEqual({
        payment: {
          paymentId,
          role: 'payer',
          state: 'provisional',
          peer: bob,
          coinId,
          quoteDigest: digest,
          signature,
        },
        coin: { coinId, value, expiry, state: 'signed' },
      });
    }
  });
}

function same(coinId: Uint8Array, n: number): boolean {
  return coinOf(n).coinId.every((byte, i) => byte === coinId[i]);
}

function coinWith({ coinId }: { readonly coinId: Uint8Array }): LoadedCoin {
  const n = [1, 2].find((candidate) => same(coinId, candidate));
  if (n === undefined) throw new Error('a coin that was never loaded');
  return coinOf(n);
}
