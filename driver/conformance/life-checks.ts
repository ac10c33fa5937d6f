/** LIFE: an expendable card from blank to enrolled, with keys and papers made here. */
import { concatBytes, equalBytes, toHex, toUtf8 } from '../../applet-spec/bytes.ts';
import {
  attestAnswer,
  attestation,
  cardKeyPolicy,
  judgeAttestation,
  type AttestAnswer,
} from '../../applet-spec/attestation.ts';
import { parseCertificate } from '../../applet-spec/certificate.ts';
import { generatedKey, hostLinkAnswer, profile } from '../../applet-spec/card-objects.ts';
import { changeReference, pinReference, pukReference } from '../../applet-spec/commands.ts';
import { labels } from '../../applet-spec/labels.ts';
import { limits } from '../../applet-spec/limits.ts';
import { keyCheckValue, putKey } from '../../applet-spec/scp03-put-key.ts';
import type { CardKeys } from '../../applet-spec/scp03-keys.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { hostLinkKeys } from '../../applet-spec/traffic-keys.ts';
import { toCurrency, toUserName } from '../../applet-spec/names.ts';
import type { CardOnBench } from './card-on-bench.ts';
import {
  expectBytes,
  expectNumber,
  expectStatus,
  expectThat,
  expectWord,
  NotConforming,
} from './expectation.ts';
import { otherThan } from './host-checks.ts';
import {
  certificateFor,
  coinOf,
  loadOf,
  profileOf,
  q2,
  quoteOf,
  strangerKey,
} from './specimens.ts';
import type { StationHand } from './station-hand.ts';

/** Of a card that is used up: nobody has anything to lose by them. */
export const specimenPin = '482615';
export const specimenPuk = '90374518';
export const ownKeyVersion = 1;

export const lifeChecks = {
  'LIFE-1': async (card: CardOnBench): Promise<void> => {
    await card.select();
    expectWord('life cycle', (await card.info()).lifeCycle, 'blank');
    const station = await card.openSession();
    await station.expect('not-initialised', 'generateKeyPair', new Uint8Array(16));
    await station.expect('not-initialised', 'putProfile', profile.encode(profileOf()));
  },

  'LIFE-2': async (card: CardOnBench): Promise<void> => {
    await card.select();
    const first = async (reference: number, value: string): Promise<number> =>
      (await card.send('changeReferenceData', toUtf8(value), changeReference.first, reference)).sw;
    expectStatus('a PIN of 3 bytes', await first(pinReference, '482'), 0x6700);
    expectStatus('VERIFY before a PIN is set', await card.verify(specimenPin), 0x6984);
    expectStatus('the first PIN', await first(pinReference, specimenPin), 0x9000);
    card.pin = specimenPin;
    expectStatus('another first PIN', await first(pinReference, '000000'), 0x6985);
    expectWord('life cycle without PUK', (await card.info()).lifeCycle, 'blank');
    expectStatus('the first PUK', await first(pukReference, specimenPuk), 0x9000);
    expectStatus('another first PUK', await first(pukReference, '00000000'), 0x6985);
    expectWord('life cycle', (await card.info()).lifeCycle, 'initialised');
    expectStatus('VERIFY', await card.verify(specimenPin), 0x9000);
  },

  'LIFE-3': async (card: CardOnBench): Promise<void> => {
    await card.enter();
    const change = async (from: string, to: string): Promise<number> =>
      (await card.send('changeReferenceData', pair(from, to), 0, pinReference)).sw;
    const wrong = otherThan(specimenPin);
    expectStatus('a change for a wrong PIN', await change(wrong, '7777'), 0x63c2);
    expectStatus('a change to 3 bytes', await change(specimenPin, '777'), 0x6700);
    expectNumber('tries left', (await card.info()).pinTries, limits.pinTries);
    expectStatus('a change', await change(specimenPin, '777777'), 0x9000);
    expectStatus('VERIFY of the old one', await card.verify(specimenPin), 0x63c2);
    expectStatus('the change back', await change('777777', specimenPin), 0x9000);
    expectStatus('VERIFY', await card.verify(specimenPin), 0x9000);
  },

  'LIFE-4': async (card: CardOnBench): Promise<void> => {
    await card.enter();
    const wrong = otherThan(specimenPin);
    for (const left of [2, 1, 0]) {
      expectStatus('a wrong PIN', await card.verify(wrong), 0x63c0 | left);
      await card.powerCycle();
      await card.select();
      expectNumber('tries left without power', (await card.info()).pinTries, left);
    }
    expectStatus('the right PIN, blocked', await card.verify(specimenPin), 0x6983);
    const unblock = async (puk: string): Promise<number> =>
      (await card.send('resetRetryCounter', pair(puk, specimenPin), 0, pinReference)).sw;
    expectStatus('a wrong PUK', await unblock('00000000'), 0x63c9);
    const verifyPuk = async (puk: string): Promise<number> =>
      (await card.send('verify', toUtf8(puk), 0, pukReference)).sw;
    expectStatus('VERIFY of the PUK and a byte', await verifyPuk(`${specimenPuk}0`), 0x63c8);
    expectStatus('VERIFY of the PUK', await verifyPuk(specimenPuk), 0x9000);
    expectStatus('LIST COINS after it', (await card.send('listCoins')).sw, 0x6982);
    expectStatus('the right PUK', await unblock(specimenPuk), 0x9000);
    expectStatus('LIST COINS, unblocked', (await card.send('listCoins')).sw, 0x6982);
    expectNumber('PUK tries left', (await card.info()).pukTries, limits.pukTries);
    expectStatus('VERIFY', await card.verify(specimenPin), 0x9000);
  },

  'LIFE-5': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const { result } = await station.send('attest', new Uint8Array(16));
    expectThat(
      result === 'not-found' || result === 'no-device-key',
      `ATTEST: ${result} where there is no key pair`,
    );
  },

  'LIFE-6': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    card.life.publicKey = await newKey(card, station);
    const again = await newKey(card, station);
    expectThat(!equalBytes(again, card.life.publicKey), 'the same key pair twice');
    card.life.publicKey = again;
    await expectNonceLengths(card, 'generateKeyPair');
  },

  'LIFE-7': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const nonce = card.entropy.randomBytes(32);
    const answer = await attested(station, nonce);
    const device = parseCertificate(answer.deviceCertificate);
    const { body } = answer.attestation;
    const deviceKey = card.primitives.verifyingKey(device.publicKey);
    expectThat(attestation.verify(answer.attestation, deviceKey), 'the signature does not verify');
    expectBytes('nonce', body.nonce, nonce);
    expectBytes('public key', body.publicKey, card.life.publicKey);
    expectBytes('serial number', body.serial, card.requireDelivery.serial);
    expectNumber('policy', body.policy, cardKeyPolicy);
    expectWord('role of the device certificate', device.role ?? 'none', 'card-device');
    const serial = toHex(body.serial);
    expectWord('its serial number', device.name ?? 'none', serial);
    await expectNonceLengths(card, 'attest');
  },

  'LIFE-8': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const foreign = certificateFor(strangerKey.publicKey);
    await station.expect('conflict', 'putCertificate', foreign);
    card.life.certificate = certificateFor(card.life.publicKey);
    await station.expect('done', 'putCertificate', card.life.certificate);
    const tooLong = new Uint8Array(limits.certificateBytes + 1);
    const { sw } = await card.exchange(station.wrap('putCertificate', tooLong));
    expectStatus('a certificate of 1,025 bytes', sw, 0x6700);
  },

  'LIFE-9': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    await station.expect('done', 'putProfile', profile.encode(profileOf()));
    expectWord('life cycle', (await card.info()).lifeCycle, 'initialised');
    await station.expect('not-enrolled', 'loadCoins', loadOf(coinOf(1)));
    await station.expect('not-enrolled', 'pay', quoteOf(1));
  },

  'LIFE-10': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const { keys: transport, keyVersion } = card.requireDelivery;
    const own = drawKeys(card);
    const good = putKey(card.primitives, transport.dek, keyVersion, ownKeyVersion, own);
    const sent = async (command: typeof good) =>
      station.read('PUT KEY', await card.exchange(station.wrapCommand(command)));
    for (const [i, name] of ['K-ENC', 'K-MAC', 'K-DEK', 'host link'].entries()) {
      // A byte of the encrypted key; each has three bytes before it, and four behind.
      const spoilt = 1 + 39 * i + 10;
      const data = good.data.map((byte, at) => (at === spoilt ? byte ^ 1 : byte));
      expectWord(`a damaged ${name}`, (await sent({ ...good, data })).result, 'key-check-failed');
    }
    const checks = [own.enc, own.mac, own.dek, own.hostLink].map((key) =>
      keyCheckValue(card.primitives, key),
    );
    const wanted = concatBytes(Uint8Array.of(ownKeyVersion), ...checks);
    for (const what of ['the keys', 'the same keys again']) {
      const { result, payload } = await sent(good);
      expectWord(what, result, 'done');
      expectBytes(`answer to ${what}`, payload, wanted);
    }
    card.keys = own;
    await card.openSession();
    const info = await card.info();
    expectNumber('key version', info.keyVersion, ownKeyVersion);
    expectWord('life cycle', info.lifeCycle, 'enrolled');
  },

  'LIFE-11': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const put = async (changes: Parameters<typeof profileOf>[0]): Promise<string> =>
      (await station.send('putProfile', profile.encode(profileOf(changes)))).result;
    const mallory = toUserName('mallory@q1');
    expectWord('another user', await put({ user: mallory }), 'conflict');
    expectWord('another network', await put({ network: 'other' }), 'conflict');
    expectWord('another station', await put({ homeStation: q2 }), 'conflict');
    expectWord('another currency', await put({ currency: toCurrency('USD') }), 'conflict');
    expectWord('other limits', await put({ paymentLimit: 5n }), 'done');
    expectWord('higher limits', await put({ dayLimit: 1_000_000n }), 'done');
  },

  'LIFE-12': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    const handle = card.entropy.randomBytes(16);
    await station.expect('done', 'putHandle', handle);
    expectBytes('identifier', (await card.info()).identifier, handle);
    const next = await card.openSession();
    expectBytes('diversification data', next.greeting.diversification, handle.subarray(0, 10));
    for (const length of [15, 17]) {
      const wrapped = (await card.openSession()).wrap('putHandle', new Uint8Array(length));
      expectStatus(`a handle of ${length} bytes`, (await card.exchange(wrapped)).sw, 0x6700);
    }
    expectBytes('identifier after them', (await card.info()).identifier, handle);
  },

  'LIFE-13': async (card: CardOnBench): Promise<void> => {
    const station = await card.enterWithStation();
    await expectHostLink(card, station, card.requireKeys.hostLink);
    const short = new Uint8Array(15);
    expectStatus('15 bytes', (await card.send('deriveHostLink', short)).sw, 0x6700);
    await expectHostLink(card, station, card.requireKeys.hostLink);
  },

  'LIFE-14': async (card: CardOnBench): Promise<void> => {
    const root = card.requireMakerRoot;
    const nonce = card.entropy.randomBytes(32);
    const answer = await attested(await card.enterWithStation(), nonce);
    const verdict = judgeAttestation(card.primitives, {
      answer,
      makers: [root],
      nowSeconds: card.nowSeconds,
      serial: card.requireDelivery.serial,
      nonce,
      publicKey: card.life.publicKey,
    });
    if (!verdict.ok) throw new NotConforming(`${verdict.reason}: ${verdict.detail}`);
  },
} as const;

/** 16 to 64 bytes are taken. */
async function expectNonceLengths(
  card: CardOnBench,
  name: 'generateKeyPair' | 'attest',
): Promise<void> {
  for (const length of [limits.nonceBytesLeast - 1, limits.nonceBytesMost + 1]) {
    const wrapped = (await card.openSession()).wrap(name, new Uint8Array(length));
    expectStatus(`a nonce of ${length} bytes`, (await card.exchange(wrapped)).sw, 0x6700);
  }
}

/** DERIVE HOST LINK, beside this session, from this key. */
export async function expectHostLink(
  card: CardOnBench,
  station: StationHand,
  hostLink: Uint8Array,
): Promise<void> {
  const hostNonce = card.entropy.randomBytes(16);
  const data = await card.done('deriveHostLink', hostNonce);
  const derived = decodeElement(hostLinkAnswer, data, 'host-link keys');
  const wanted = hostLinkKeys(card.primitives, hostLink, {
    cardChallenge: station.greeting.cardChallenge,
    stationChallenge: station.challenge,
    hostNonce,
  });
  expectBytes('key to the station', derived.toStation, wanted.toStation);
  expectBytes('key to the host', derived.toHost, wanted.toHost);
}

/** ATTEST. */
export async function attested(station: StationHand, nonce: Uint8Array): Promise<AttestAnswer> {
  const payload = await station.expect('done', 'attest', nonce);
  return decodeElement(attestAnswer, payload, 'answer to ATTEST');
}

/** GENERATE KEY PAIR, with its proof. */
export async function newKey(card: CardOnBench, station: StationHand): Promise<Uint8Array> {
  const nonce = card.entropy.randomBytes(32);
  const made = await station.expect('done', 'generateKeyPair', nonce);
  const { publicKey, possession } = decodeElement(generatedKey, made, 'generated key');
  const proof = concatBytes(labels.possession, nonce, publicKey);
  const holds = card.verifies(publicKey, proof, possession);
  expectThat(holds, 'the card does not prove that it has its key');
  return publicKey;
}

export function drawKeys({ entropy }: CardOnBench): CardKeys {
  return {
    enc: entropy.randomBytes(32),
    mac: entropy.randomBytes(32),
    dek: entropy.randomBytes(32),
    hostLink: entropy.randomBytes(32),
  };
}

export function pair(first: string, second: string): Uint8Array {
  return concatBytes(toUtf8(first), toUtf8(second));
}
