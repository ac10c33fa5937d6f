/** PEER: what a key is not taken for, and which side of it the card is on. */
import { concatBytes } from '../../applet-spec/bytes.ts';
import {
  offer as offerObject,
  profile,
  signatureCheck,
  trafficRequest,
  type SignatureCheck,
} from '../../applet-spec/card-objects.ts';
import { trafficDirections } from '../../applet-spec/commands.ts';
import { peerTrafficKey } from '../../applet-spec/traffic-keys.ts';
import type { CardOnBench } from './card-on-bench.ts';
import { expectBytes, expectStatus } from './expectation.ts';
import { paid, readyToPay } from './payment-checks.ts';
import { derived, ownPayment, takeOffer } from './peer-key-checks.ts';
import {
  alice,
  homeKey,
  profileOf,
  q1,
  receiptOf,
  refusalOf,
  strangerKey,
  transactionOf,
} from './specimens.ts';

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
  },
} as const;
