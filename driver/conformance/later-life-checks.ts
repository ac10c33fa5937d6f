/** LIFE, of a card that is enrolled: what changes later, and what does not. */
import { equalBytes, toUtf8 } from '../../applet-spec/bytes.ts';
import { profile, signatureCheck } from '../../applet-spec/card-objects.ts';
import { pukReference } from '../../applet-spec/commands.ts';
import { limits } from '../../applet-spec/limits.ts';
import { putKey } from '../../applet-spec/scp03-put-key.ts';
import type { CardOnBench } from './card-on-bench.ts';
import { expectBytes, expectNumber, expectStatus, expectThat, expectWord } from './expectation.ts';
import {
  attested,
  drawKeys,
  newKey,
  ownKeyVersion,
  pair,
  specimenPin,
  specimenPuk,
} from './life-checks.ts';
import { acknowledges, takeOffer } from './peer-key-checks.ts';
import { certificateFor, profileOf, quoteOf } from './specimens.ts';

/** As long as a point, and on no curve. */
const noPoint = Uint8Array.of(0x04, ...new Uint8Array(63), 0x05);

export const laterLifeChecks = {
  'LIFE-15': async (card: CardOnBench): Promise<void> => {
    await card.enter();
    const change = async (from: string, to: string): Promise<number> =>
      (await card.send('changeReferenceData', pair(from, to), 0, pukReference)).sw;
    const verify = async (puk: string): Promise<number> =>
      (await card.send('verify', toUtf8(puk), 0, pukReference)).sw;
    const other = '11223344';
    expectStatus('a change for the PIN', await change(specimenPin, other), 0x63c9);
    expectStatus('a change to 3 bytes', await change(specimenPuk, '777'), 0x6700);
    expectNumber('tries of the PUK left', (await card.info()).pukTries, limits.pukTries);
    expectStatus('a change', await change(specimenPuk, other), 0x9000);
    expectStatus('VERIFY of the old PUK', await verify(specimenPuk), 0x63c9);
    expectStatus('the change back', await change(other, specimenPuk), 0x9000);
    expectStatus('VERIFY of the PUK', await verify(specimenPuk), 0x9000);
    expectStatus('VERIFY of the PIN', await card.verify(specimenPin), 0x9000);
  },

  'LIFE-16': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const { publicKey: old, certificate } = card.life;
    const made = await newKey(card, station);
    const between = await takeOffer(card, station);
    expectThat(acknowledges(card, between, old), 'the old key does not sign any more');
    await station.expect('done', 'putCertificate', certificate);
    const nonce = card.entropy.randomBytes(32);
    if ((await station.send('attest', nonce)).result === 'done') {
      const { publicKey, serial } = (await attested(station, nonce)).attestation.body;
      expectThat(equalBytes(publicKey, made), 'another key than the pending one is attested');
      expectBytes('serial number under a handle', serial, card.requireDelivery.serial);
    }
    card.life.certificate = certificateFor(made);
    card.life.publicKey = made;
    await station.expect('done', 'putCertificate', card.life.certificate);
    const after = await takeOffer(card, station);
    expectThat(acknowledges(card, after, made), 'the new key does not sign');
    const { paymentId, signature } = between;
    const asked = { paymentId, certificate: card.primitives.sha256(certificate), signature };
    const own = await card.done('checkSignature', signatureCheck.encode(asked));
    expectBytes('CHECK SIGNATURE of what the old key signed', own, Uint8Array.of(1));
    await station.expect('conflict', 'putCertificate', certificate);
  },

  'LIFE-17': async (card: CardOnBench): Promise<void> => {
    const { dek } = card.requireKeys;
    const keys = drawKeys(card);
    const command = putKey(card.primitives, dek, ownKeyVersion, ownKeyVersion, keys);
    const station = await card.openSession();
    const answer = await card.exchange(station.wrapCommand(command));
    expectWord('other keys', station.read('PUT KEY', answer).result, 'conflict');
    const next = putKey(card.primitives, dek, ownKeyVersion + 2, ownKeyVersion + 1, keys);
    for (const [what, changed, sw] of [
      ['for another version', next, 0x6a88],
      ['of one key', { ...next, p1: ownKeyVersion, p2: 0x01 }, 0x6a86],
    ] as const) {
      const wrapped = (await card.openSession()).wrapCommand(changed);
      expectStatus(`PUT KEY ${what}`, (await card.exchange(wrapped)).sw, sw);
    }
    await card.openSession();
    expectNumber('key version', (await card.info()).keyVersion, ownKeyVersion);
  },

  'LIFE-18': async (card: CardOnBench): Promise<void> => {
    const homeStationKey = noPoint;
    const inProfile = profile.encode(profileOf({ homeStationKey }));
    const inQuote = quoteOf(card.life.nextNumber(), { payeeStationKey: noPoint });
    for (const [what, name, data] of [
      ['in a profile', 'putProfile', inProfile],
      ['in a quote', 'pay', inQuote],
    ] as const) {
      const wrapped = (await card.openSession()).wrap(name, data);
      expectStatus(`no point ${what}`, (await card.exchange(wrapped)).sw, 0x6a80);
    }
  },
} as const;
