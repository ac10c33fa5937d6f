/** LIFE and PAY, of keys and certificates whose place others take. */
import { concatBytes, equalBytes } from '../../applet-spec/bytes.ts';
import { payAnswer, signatureCheck, type SignatureCheck } from '../../applet-spec/card-objects.ts';
import { limits } from '../../applet-spec/limits.ts';
import { initializeUpdate } from '../../applet-spec/scp03-handshake.ts';
import { putKey } from '../../applet-spec/scp03-put-key.ts';
import type { CardOnBench } from './card-on-bench.ts';
import { expectBytes, expectStatus, expectWord, NotConforming } from './expectation.ts';
import { drawKeys, expectHostLink, newKey, ownKeyVersion } from './life-checks.ts';
import { paid, quoteFor, readyToPay } from './payment-checks.ts';
import { takeOffer } from './peer-key-checks.ts';
import { certificateFor, refusalOf, transactionOf } from './specimens.ts';

export const renewalChecks = {
  'LIFE-21': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const old = card.requireKeys;
    const keys = drawKeys(card);
    const command = putKey(card.primitives, old.dek, ownKeyVersion, ownKeyVersion + 1, keys);
    const answer = await card.exchange(station.wrapCommand(command));
    expectWord('PUT KEY', station.read('PUT KEY', answer).result, 'done');
    card.keys = keys;
    await expectHostLink(card, station, old.hostLink);
    for (const version of [ownKeyVersion, card.requireDelivery.keyVersion]) {
      const { sw } = await card.exchange(initializeUpdate(version, new Uint8Array(16)));
      expectStatus(`INITIALIZE UPDATE under version ${version}`, sw, 0x6a88);
    }
    await expectHostLink(card, await card.openSession(), keys.hostLink);
  },

  'LIFE-22': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const { certificate: first, publicKey: old } = card.life;
    const { paymentId, signature } = await takeOffer(card, station);
    const asked = { paymentId, certificate: card.primitives.sha256(first), signature };
    const made = await newKey(card, station);
    for (let i = 1; i <= limits.cardFormerKeys; i++) {
      // The pending key waits while the key in force is certified again.
      const publicKey = 2 * i <= limits.cardFormerKeys ? old : made;
      const certificate = concatBytes(certificateFor(publicKey), Uint8Array.of(i));
      card.life.certificate = certificate;
      card.life.publicKey = publicKey;
      // Again, as after an answer that was lost: it takes no place.
      await station.expect('done', 'putCertificate', certificate);
      await station.expect('done', 'putCertificate', certificate);
      await expectOwn(card, `what it signed ${i} certificates ago`, asked);
    }
    const { paymentId: next, signature: latest } = await takeOffer(card, station);
    await expectOwn(card, 'what it signed last', { paymentId: next, signature: latest });
  },

  'PAY-13': async (card: CardOnBench): Promise<void> => {
    const { station, quoteBytes, coins, value } = await readyToPay(card, 2);
    const first = await paid(card, station, quoteBytes);
    await paid(card, station, quoteFor(card, value));
    const { certificate: before } = card.life;
    card.life.publicKey = await newKey(card, station);
    card.life.certificate = certificateFor(card.life.publicKey);
    await station.expect('done', 'putCertificate', card.life.certificate);
    const coin = coins.find(({ coinId }) => equalBytes(coinId, first.coinId));
    if (coin === undefined) throw new NotConforming('PAY: a coin of another value');
    const { bytes: transaction, paymentId } = transactionOf(quoteBytes, coin, before);
    await station.expect('done', 'conclude', refusalOf(paymentId));
    const again = await paid(card, station, quoteBytes);
    expectBytes('answer to the repeat', payAnswer.encode(again), payAnswer.encode(first));
    await expectOwn(card, 'what it paid', { transaction, signature: first.signature });
  },
} as const;

async function expectOwn(card: CardOnBench, what: string, asked: SignatureCheck): Promise<void> {
  const own = await card.done('checkSignature', signatureCheck.encode(asked));
  expectBytes(`CHECK SIGNATURE of ${what}`, own, Uint8Array.of(1));
}
