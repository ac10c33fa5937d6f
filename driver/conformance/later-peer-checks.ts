/** PEER: what a key is not taken for, and which side of it the card is on. */
import { bytesToUint, concatBytes, uintToBytes } from '../../applet-spec/bytes.ts';
import {
  offer as offerObject,
  offerAnswer,
  profile,
  signatureCheck,
  trafficRequest,
  type SignatureCheck,
} from '../../applet-spec/card-objects.ts';
import { trafficDirections } from '../../applet-spec/commands.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { peerKeyCheck, peerTrafficKey } from '../../applet-spec/traffic-keys.ts';
import type { CardOnBench } from './card-on-bench.ts';
import { expectBytes, expectStatus, expectThat, expectWord } from './expectation.ts';
import { journal, paid, readyToPay } from './payment-checks.ts';
import { derived, incoming, ownPayment, slotOf, takeOffer } from './peer-key-checks.ts';
import type { OfferedKey } from './specimen-life.ts';
import {
  alice,
  bob,
  homeKey,
  lastKey,
  loadOf,
  profileOf,
  q1,
  receiptOf,
  refusalOf,
  strangerKey,
  transactionOf,
} from './specimens.ts';
import type { StationHand } from './station-hand.ts';

const curveOrder = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;

export const laterPeerChecks = {
  'PEER-9': async (card: CardOnBench): Promise<void> => {
    const { station, coin, quoteBytes } = await ownPayment(card);
    const { bytes: transaction } = transactionOf(quoteBytes, coin, card.life.certificate);
    const offered = offerObject.encode({ payer: alice, transaction, coinSecret: coin.secret });
    await station.expect('conflict', 'offer', offered);
  },

  'PEER-10': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const { paymentId, secret, signature } = await takeOffer(card, station);
    const verdict = receiptOf(paymentId, { station: q1, acknowledgement: signature }, homeKey);
    await station.expect('done', 'conclude', verdict);
    const sent = await derived(card, paymentId);
    const toPayer = peerTrafficKey(card.primitives, secret, 'to-payer', paymentId, sent.epoch);
    expectBytes('traffic key to send', sent.trafficKey, toPayer);
    const received = await derived(card, paymentId, 3n);
    const toPayee = peerTrafficKey(card.primitives, secret, 'to-payee', paymentId, 3n);
    expectBytes('traffic key to receive', received.trafficKey, toPayee);
    const withEpoch = trafficRequest.encode({ paymentId, epoch: sent.epoch + 9n });
    const { sw } = await card.send('deriveTraffic', withEpoch, trafficDirections.send);
    expectStatus('DERIVE TRAFFIC to send under an epoch of the host’s', sw, 0x6a80);
  },

  'PEER-11': async (card: CardOnBench): Promise<void> => {
    const { station, paymentId } = await ownPayment(card);
    const arrived = await takeOffer(card, station);
    const next = { homeStationKey: strangerKey.publicKey, dayLimit: 1_000_000n };
    await station.expect('done', 'putProfile', profile.encode(profileOf(next)));
    const verdict = { station: q1, acknowledgement: arrived.signature } as const;
    const late = receiptOf(arrived.paymentId, verdict, strangerKey);
    await station.expect('signature-invalid', 'conclude', late);
    await station.expect('done', 'conclude', receiptOf(arrived.paymentId, verdict, homeKey));
    await station.expect('signature-invalid', 'conclude', refusalOf(paymentId));
    await station.expect('done', 'conclude', refusalOf(paymentId, {}, strangerKey));
    const back = profile.encode(profileOf({ dayLimit: 1_000_000n }));
    await station.expect('done', 'putProfile', back);
  },

  'PEER-12': async (card: CardOnBench): Promise<void> => {
    const { station, coins, quoteBytes } = await readyToPay(card);
    const { signature } = await paid(card, station, quoteBytes);
    const { paymentId, signature: acknowledged } = await takeOffer(card, station);
    const [coin] = coins;
    if (coin === undefined) return;
    const { bytes: transaction } = transactionOf(quoteBytes, coin, card.life.certificate);
    const expectOwn = async (what: string, asked: SignatureCheck, own: 0 | 1): Promise<void> => {
      const answer = await card.done('checkSignature', signatureCheck.encode(asked));
      expectBytes(`CHECK SIGNATURE of ${what}`, answer, Uint8Array.of(own));
    };
    await expectOwn('its transaction', { transaction, signature }, 1);
    await expectOwn('its acknowledgement', { paymentId, signature: acknowledged }, 1);
    const certificate = card.primitives.sha256(card.life.certificate);
    const named = { paymentId, certificate, signature: acknowledged };
    await expectOwn('its acknowledgement under its certificate', named, 1);
    await expectOwn('another transaction’s', { transaction, signature: acknowledged }, 0);
    await expectOwn('another’s acknowledgement', { paymentId, signature }, 0);
    const changed = concatBytes(signature.subarray(0, 63), Uint8Array.of((signature[63] ?? 0) ^ 1));
    await expectOwn('a changed one', { transaction, signature: changed }, 0);
    await expectOwn('its twin with a high s', { transaction, signature: withHighS(signature) }, 0);
  },

  'PEER-13': async (card: CardOnBench): Promise<void> => {
    const { station, coin, paymentId } = await ownPayment(card);
    await station.expect('done', 'conclude', receiptOf(paymentId, {}, lastKey));
    await card.done('erasePeerKey', paymentId);
    await station.expect('not-unspent', 'loadCoins', loadOf(coin));
  },

  'PEER-14': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const { transaction, paymentId, secret } = incoming(card);
    const offered = (payer: typeof bob, coinSecret: Uint8Array) =>
      offerObject.encode({ payer, transaction, coinSecret });
    const first = await station.expect('done', 'offer', offered(bob, secret));
    const other = { homeStationKey: strangerKey.publicKey, dayLimit: 1_000_000n };
    await station.expect('done', 'putProfile', profile.encode(profileOf(other)));
    const again = await station.expect('done', 'offer', offered(alice, new Uint8Array(32)));
    expectBytes('answer to the repeat', again, first);
    const slot = await slotOf(card, paymentId);
    expectWord('peer', slot?.peer ?? 'none', bob);
    const check = peerKeyCheck(card.primitives, secret, paymentId);
    expectBytes('check value', slot?.check ?? new Uint8Array(0), check);
    const { signature: acknowledgement } = decodeElement(offerAnswer, again, 'answer to OFFER');
    const late = receiptOf(paymentId, { station: q1, acknowledgement }, strangerKey);
    await station.expect('signature-invalid', 'conclude', late);
    const verdict = receiptOf(paymentId, { station: q1, acknowledgement }, homeKey);
    await station.expect('done', 'conclude', verdict);
    const back = profile.encode(profileOf({ dayLimit: 1_000_000n }));
    await station.expect('done', 'putProfile', back);
  },

  'PEER-15': async (card: CardOnBench): Promise<void> => {
    const { station, paymentId } = await ownPayment(card);
    const high = withHighS(refusalOf(paymentId));
    await station.expect('signature-invalid', 'conclude', high);
    await station.expect('done', 'conclude', receiptOf(paymentId, {}, lastKey));
    await station.expect('already-concluded', 'conclude', refusalOf(paymentId));
    expectWord('state', (await slotOf(card, paymentId))?.state ?? 'none', 'active');
    const { station: next, paymentId: refused } = await ownPayment(card);
    await next.expect('done', 'conclude', refusalOf(refused));
    const undelivered = receiptOf(refused, { verdict: 'undelivered' }, lastKey);
    await next.expect('done', 'conclude', undelivered);
    await next.expect('already-concluded', 'conclude', receiptOf(refused, {}, lastKey));
  },

  'PEER-16': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const [own, later] = [card.life.nextCoin(), card.life.nextCoin()];
    await station.expect('done', 'loadCoins', loadOf(own));
    for (const { coinId } of [own, later]) {
      // Another issuer's coin of the same ID.
      await deliver(station, await takeOffer(card, station, incoming(card, { coinId })));
    }
    const { payment, coin } = await journal(station, { coinId: own.coinId });
    expectWord('state of the card’s own coin', coin?.state ?? 'none', 'unspent');
    expectThat(payment === undefined, 'the journal takes another’s coin for the card’s own');
    await station.expect('done', 'loadCoins', loadOf(later));
  },

  'PEER-17': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const [again, other] = [incoming(card), incoming(card)];
    for (const arrives of [again, other]) {
      await deliver(station, await takeOffer(card, station, arrives));
      await derived(card, arrives.paymentId);
    }
    // Of the two that are erased the first has the higher epoch.
    await derived(card, again.paymentId);
    const { epoch: last } = await derived(card, again.paymentId);
    for (const { paymentId } of [again, other]) await card.done('erasePeerKey', paymentId);
    await card.powerCycle();
    const next = await card.enterWithStation();
    await deliver(next, await takeOffer(card, next, again));
    const { epoch } = await derived(card, again.paymentId);
    expectThat(epoch > last, `epoch ${epoch} after it was given with an erased key`);
  },
  'PEER-18': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const { paymentId, signature } = await takeOffer(card, station);
    const { payment, coin } = await journal(station, { paymentId });
    expectWord('role in the journal', payment?.role ?? 'none', 'payee');
    expectBytes('acknowledgement', payment?.signature ?? new Uint8Array(0), signature);
    expectThat(coin === undefined, 'the journal shows a coin that is the payer’s');
    const undelivered = { station: q1, verdict: 'undelivered' } as const;
    await station.expect('done', 'conclude', receiptOf(paymentId, undelivered, homeKey));
    for (const [direction, epoch] of [
      [trafficDirections.send, undefined],
      [trafficDirections.receive, 1n],
    ] as const) {
      const request = trafficRequest.encode({ paymentId, ...(epoch && { epoch }) });
      const { sw } = await card.send('deriveTraffic', request, direction);
      expectStatus('DERIVE TRAFFIC of a burned key', sw, 0x6985);
    }
  },
} as const;

/** The home station's receipt, for the payee. */
async function deliver(
  station: StationHand,
  { paymentId, signature: acknowledgement }: OfferedKey,
): Promise<void> {
  const verdict = receiptOf(paymentId, { station: q1, acknowledgement }, homeKey);
  await station.expect('done', 'conclude', verdict);
}

/** The same signature but for its twin, which ECDSA takes too: the last 32 bytes are s. */
function withHighS(signed: Uint8Array): Uint8Array {
  const s = bytesToUint(signed.subarray(-32));
  return concatBytes(signed.subarray(0, -32), uintToBytes(curveOrder - s, 32));
}
