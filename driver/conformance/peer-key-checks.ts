/** PEER: keys that arrive and keys that stay, from provisional to active or burned. */
import { concatBytes } from '../../applet-spec/bytes.ts';
import {
  offer as offerObject,
  offerAnswer,
  peerKeyPage,
  trafficAnswer,
  trafficRequest,
  type LoadedCoin,
  type PeerKeyEntry,
  type TrafficAnswer,
} from '../../applet-spec/card-objects.ts';
import { trafficDirections } from '../../applet-spec/commands.ts';
import { labels } from '../../applet-spec/labels.ts';
import { headNow } from '../../applet-spec/names.ts';
import { acknowledgement } from '../../applet-spec/receipt.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { peerKeyCheck, peerTrafficKey } from '../../applet-spec/traffic-keys.ts';
import type { CardOnBench } from './card-on-bench.ts';
import { expectBytes, expectNumber, expectStatus, expectThat, expectWord } from './expectation.ts';
import type { OfferedKey } from './specimen-life.ts';
import type { StationHand } from './station-hand.ts';
import { paid, readyToPay } from './payment-checks.ts';
import { coinsOn } from './pool-checks.ts';
import {
  bob,
  certificateFor,
  homeKey,
  lastKey,
  loadOf,
  q1,
  q2,
  quoteOf,
  receiptOf,
  refusalOf,
  strangerKey,
  transactionOf,
} from './specimens.ts';

const none = new Uint8Array(0);

export const peerKeyChecks = {
  'PEER-1': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const { transaction, paymentId, secret } = incoming(card);
    const offered = (coinSecret: Uint8Array) =>
      offerObject.encode({ payer: bob, transaction, coinSecret });
    await station.expect('commitment-mismatch', 'offer', offered(new Uint8Array(32)));
    const slots = (await card.info()).peerKeys;
    const answer = await station.expect('done', 'offer', offered(secret));
    const { signature } = decodeElement(offerAnswer, answer, 'answer to OFFER');
    const holds = acknowledges(card, { paymentId, signature }, card.life.publicKey);
    expectThat(holds, 'the acknowledgement is not signed by the card’s key');
    const again = await station.expect('done', 'offer', offered(secret));
    expectBytes('answer to the repeat', again, answer);
    expectNumber('slots', (await card.info()).peerKeys, slots + 1);
    card.life.offered = { paymentId, secret, signature };
  },

  'PEER-2': async (card: CardOnBench): Promise<void> => {
    await card.enter();
    const { paymentId, secret } = card.life.offered;
    const derive = trafficRequest.encode({ paymentId });
    const { sw } = await card.send('deriveTraffic', derive, trafficDirections.send);
    expectStatus('DERIVE TRAFFIC', sw, 0x6985);
    expectStatus('ERASE PEER KEY', (await card.send('erasePeerKey', paymentId)).sw, 0x6985);
    const slot = await slotOf(card, paymentId);
    expectWord('state', slot?.state ?? 'none', 'provisional');
    const check = peerKeyCheck(card.primitives, secret, paymentId);
    expectBytes('check value', slot?.check ?? none, check);
  },

  'PEER-3': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const { paymentId, signature } = card.life.offered;
    const own = { station: q1, acknowledgement: signature } as const;
    for (const [what, verdict, wanted] of [
      ['of no payment', receiptOf(new Uint8Array(32).fill(9), own, homeKey), 'not-found'],
      [
        'of another station',
        receiptOf(paymentId, { ...own, station: q2 }, homeKey),
        'wrong-station',
      ],
      ['under another key', receiptOf(paymentId, own, strangerKey), 'signature-invalid'],
      [
        'without its acknowledgement',
        receiptOf(paymentId, { station: q1 }, homeKey),
        'signature-invalid',
      ],
      ['of the payer’s station', refusalOf(paymentId), 'wrong-station'],
    ] as const) {
      expectWord(what, (await station.send('conclude', verdict)).result, wanted);
    }
    const spoilt = receiptOf(paymentId, own, homeKey).map((byte, i, all) =>
      i === all.length - 1 ? byte ^ 1 : byte,
    );
    const changed = (await station.send('conclude', spoilt)).result;
    expectWord('changed', changed, 'signature-invalid');
    expectWord('state', (await slotOf(card, paymentId))?.state ?? 'none', 'provisional');
  },

  'PEER-4': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const { paymentId, signature } = card.life.offered;
    const own = { station: q1, acknowledgement: signature } as const;
    await station.expect('done', 'conclude', receiptOf(paymentId, own, homeKey));
    await station.expect('done', 'conclude', receiptOf(paymentId, own, homeKey));
    const other = receiptOf(paymentId, { station: q1, verdict: 'undelivered' }, homeKey);
    await station.expect('already-concluded', 'conclude', other);
    expectWord('state', (await slotOf(card, paymentId))?.state ?? 'none', 'active');
    const payment = await ownPayment(card);
    await payment.station.expect('done', 'conclude', receiptOf(payment.paymentId, {}, lastKey));
    await expectConcluded(card, payment, 'active');
    card.life.active = { paymentId: payment.paymentId, secret: payment.coin.secret };
  },

  'PEER-5': async (card: CardOnBench): Promise<void> => {
    const payment = await ownPayment(card);
    const { station, paymentId } = payment;
    const newer = receiptOf(paymentId, { ...undelivered, reason: 'code-200' }, lastKey);
    await station.expect('done', 'conclude', newer);
    await expectConcluded(card, payment, 'burned');
    await station.expect('already-concluded', 'conclude', receiptOf(paymentId, {}, lastKey));
    const { transaction, secret } = incoming(card);
    const offered = offerObject.encode({ payer: bob, transaction, coinSecret: secret });
    await station.expect('done', 'offer', offered);
    const arrived = card.primitives.sha256(labels.transaction, transaction);
    const verdict = receiptOf(arrived, { ...undelivered, station: q1 }, homeKey);
    await station.expect('done', 'conclude', verdict);
    await station.expect('already-concluded', 'offer', offered);
  },

  'PEER-6': async (card: CardOnBench): Promise<void> => {
    const payment = await ownPayment(card);
    const { station, paymentId } = payment;
    const foreign = refusalOf(paymentId, { station: q2 }, lastKey);
    await station.expect('wrong-station', 'conclude', foreign);
    await station.expect('signature-invalid', 'conclude', refusalOf(paymentId, {}, strangerKey));
    await station.expect('done', 'conclude', refusalOf(paymentId));
    await expectConcluded(card, payment, 'burned');
  },

  'PEER-7': async (card: CardOnBench): Promise<void> => {
    await card.enter();
    const { paymentId, secret } = card.life.active;
    const first = await derived(card, paymentId);
    const second = await derived(card, paymentId);
    await card.powerCycle();
    await card.enter();
    const third = await derived(card, paymentId);
    for (const [i, { epoch, trafficKey }] of [first, second, third].entries()) {
      expectNumber('epoch', Number(epoch), Number(first.epoch) + i);
      const wanted = peerTrafficKey(card.primitives, secret, 'to-payee', paymentId, epoch);
      expectBytes('traffic key to send', trafficKey, wanted);
    }
    const answer = await derived(card, paymentId, 7n);
    const wanted = peerTrafficKey(card.primitives, secret, 'to-payer', paymentId, 7n);
    expectBytes('traffic key to receive', answer.trafficKey, wanted);
    expectNumber(
      'epoch of the list',
      Number((await slotOf(card, paymentId))?.sendEpoch),
      Number(third.epoch),
    );
  },

  'PEER-8': async (card: CardOnBench): Promise<void> => {
    await card.enter();
    const { paymentId } = card.life.active;
    const sent = (await slotOf(card, paymentId))?.sendEpoch ?? 0n;
    await card.done('erasePeerKey', paymentId);
    expectThat((await slotOf(card, paymentId)) === undefined, 'an erased key is listed');
    expectStatus('ERASE PEER KEY again', (await card.send('erasePeerKey', paymentId)).sw, 0x6a88);
    const station = await card.enterWithStation();
    const { transaction, paymentId: next, secret } = incoming(card);
    const offered = offerObject.encode({ payer: bob, transaction, coinSecret: secret });
    await station.expect('done', 'offer', offered);
    const begun = (await slotOf(card, next))?.sendEpoch ?? -1n;
    expectThat(
      begun >= sent,
      `a new slot begins at epoch ${begun}, an erased one sent under ${sent}`,
    );
  },
} as const;

/** An offer that the card takes. */
export async function takeOffer(
  card: CardOnBench,
  station: StationHand,
  arrives = incoming(card),
): Promise<OfferedKey> {
  const { transaction, paymentId, secret } = arrives;
  const offered = offerObject.encode({ payer: bob, transaction, coinSecret: secret });
  const answer = await station.expect('done', 'offer', offered);
  const { signature } = decodeElement(offerAnswer, answer, 'answer to OFFER');
  return { paymentId, secret, signature };
}

/** Whether the card acknowledged it with this key, for its certificate. */
export function acknowledges(
  card: CardOnBench,
  { paymentId, signature }: Pick<OfferedKey, 'paymentId' | 'signature'>,
  publicKey: Uint8Array,
): boolean {
  const payeeCertificate = card.primitives.sha256(card.life.certificate);
  const body = acknowledgement.body.encode({ ...headNow, paymentId, payeeCertificate });
  return card.verifies(publicKey, concatBytes(labels.acknowledgement, body), signature);
}

const undelivered = { verdict: 'undelivered' } as const;

/** A payment of somebody else's for this card's owner. */
export function incoming(card: CardOnBench, ofCoin: Partial<LoadedCoin> = {}) {
  const coin = card.life.nextCoin(ofCoin);
  const payer = certificateFor(strangerKey.publicKey);
  const { bytes, paymentId } = transactionOf(quoteOf(card.life.nextNumber()), coin, payer);
  return { transaction: bytes, paymentId, secret: coin.secret };
}

type OwnPayment = Awaited<ReturnType<typeof ownPayment>>;

/** A payment of the card's own, signed and not concluded. */
export async function ownPayment(card: CardOnBench) {
  const { station, quoteBytes, coins } = await readyToPay(card);
  await paid(card, station, quoteBytes);
  const [coin] = coins;
  if (coin === undefined) throw new RangeError('nothing was loaded');
  const { paymentId } = transactionOf(quoteBytes, coin, card.life.certificate);
  return { station, coin, paymentId, quoteBytes };
}

/** The key stands as it should, and the coin has left for good. */
async function expectConcluded(
  card: CardOnBench,
  { station, coin, paymentId }: OwnPayment,
  state: PeerKeyEntry['state'],
): Promise<void> {
  expectWord('state', (await slotOf(card, paymentId))?.state ?? 'none', state);
  const held = await coinsOn(card);
  expectThat(
    !held.some(({ coinId }) => coinId.join() === coin.coinId.join()),
    'the coin is still there',
  );
  await station.expect('not-unspent', 'loadCoins', loadOf(coin));
}

export async function slotOf(
  card: CardOnBench,
  paymentId: Uint8Array,
): Promise<PeerKeyEntry | undefined> {
  for (let first = 0; ;) {
    const data = await card.done('listPeerKeys', none, first);
    const { total, entries } = decodeElement(peerKeyPage, data, 'page of slots');
    const found = entries.find((entry) => entry.paymentId.join() === paymentId.join());
    first += entries.length;
    if (found !== undefined || first >= total || entries.length === 0) return found;
  }
}

export async function derived(
  card: CardOnBench,
  paymentId: Uint8Array,
  epoch?: bigint,
): Promise<TrafficAnswer> {
  const request = trafficRequest.encode({ paymentId, ...(epoch !== undefined && { epoch }) });
  const { send, receive } = trafficDirections;
  const data = await card.done('deriveTraffic', request, epoch === undefined ? send : receive);
  return decodeElement(trafficAnswer, data, 'traffic key');
}
