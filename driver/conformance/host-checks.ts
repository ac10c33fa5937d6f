/** PIN and HOST: the host's hand, in the clear. Nothing is used up: tries are given back. */
import { concatBytes, toUtf8 } from '../../applet-spec/bytes.ts';
import {
  authorisation,
  coinPage,
  peerKeyPage,
  signatureCheck,
  trafficRequest,
  type SignatureCheck,
} from '../../applet-spec/card-objects.ts';
import {
  changeReference,
  pinReference,
  pukReference,
  trafficDirections,
} from '../../applet-spec/commands.ts';
import { limits } from '../../applet-spec/limits.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import type { CardOnBench } from './card-on-bench.ts';
import { expectBytes, expectNumber, expectStatus, expectThat } from './expectation.ts';
import { certificateFor, coinOf, quoteOf, strangerKey, transactionOf } from './specimens.ts';

const none = new Uint8Array(0);
const coinsAPage = 64;
const peerKeysAPage = 16;

export const hostChecks = {
  'PIN-1': async (card: CardOnBench): Promise<void> => {
    const { lifeCycle, pinTries } = await card.info();
    const { sw } = await card.send('verify', none, 0, pinReference);
    if (pinTries === 0) expectStatus('an empty VERIFY', sw, 0x6983);
    else if (lifeCycle === 'blank') expectStatus('an empty VERIFY', sw, 0x6984, 0x63c0 | pinTries);
    else expectStatus('an empty VERIFY', sw, 0x63c0 | pinTries);
    expectNumber('tries left', (await card.info()).pinTries, pinTries);
    const { pukTries } = await card.info();
    const ofPuk = await empty(card, pukReference);
    if (pukTries === 0) expectStatus('an empty VERIFY of the PUK', ofPuk, 0x6983);
    else if (lifeCycle === 'blank') {
      expectStatus('an empty VERIFY of the PUK', ofPuk, 0x6984, 0x63c0 | pukTries);
    } else expectStatus('an empty VERIFY of the PUK', ofPuk, 0x63c0 | pukTries);
    expectNumber('tries of the PUK left', (await card.info()).pukTries, pukTries);
  },

  'PIN-2': async (card: CardOnBench): Promise<void> => {
    const { pinTries } = await card.info();
    const four = toUtf8('0000');
    for (const [what, p1, p2, data, sw] of [
      ['of neither PIN nor PUK', 0x00, 0x82, four, 0x6a86],
      ['with P1 01', 0x01, 0x80, four, 0x6a86],
      ['of 3 bytes', 0x00, 0x80, four.subarray(1), 0x6700],
      ['of 17 bytes', 0x00, 0x80, new Uint8Array(17).fill(0x30), 0x6700],
    ] as const) {
      expectStatus(`VERIFY ${what}`, (await card.send('verify', data, p1, p2)).sw, sw);
    }
    expectNumber('tries left', (await card.info()).pinTries, pinTries);
  },

  'PIN-3': async (card: CardOnBench): Promise<void> => {
    for (const [name, data] of [
      ['listCoins', none],
      ['listPeerKeys', none],
      ['authorise', anyAuthorisation()],
      ['deriveHostLink', new Uint8Array(16)],
      ['deriveTraffic', trafficRequest.encode({ paymentId: new Uint8Array(32) })],
      ['erasePeerKey', new Uint8Array(32)],
      ['checkSignature', checkOf({ paymentId: new Uint8Array(32) })],
    ] as const) {
      expectStatus(name, (await card.send(name, data)).sw, 0x6982);
    }
  },

  'PIN-4': async (card: CardOnBench): Promise<void> => {
    expectStatus('an empty VERIFY', await empty(card), 0x9000);
    const { pukTries } = await card.info();
    const ofPuk = pukTries === 0 ? 0x6983 : 0x63c0 | pukTries;
    expectStatus('an empty VERIFY of the PUK', await empty(card, pukReference), ofPuk);
    expectNumber('tries left', (await card.info()).pinTries, limits.pinTries);
    await card.select();
    expectStatus('LIST COINS after SELECT', (await card.send('listCoins')).sw, 0x6982);
    expectStatus('an empty VERIFY after SELECT', await empty(card), 0x63c0 | limits.pinTries);
  },

  'PIN-5': async (card: CardOnBench): Promise<void> => {
    await card.powerCycle();
    await card.select();
    expectStatus('LIST COINS', (await card.send('listCoins')).sw, 0x6982);
  },

  'PIN-6': async (card: CardOnBench): Promise<void> => {
    const right = card.knownPin;
    const wrong = await card.verify(otherThan(right));
    const after = await card.info();
    const locked = (await card.send('listCoins')).sw;
    const restored = await card.verify(right);
    expectStatus('a wrong PIN', wrong, 0x63c0 | (limits.pinTries - 1));
    expectNumber('tries left after it', after.pinTries, limits.pinTries - 1);
    expectStatus('LIST COINS after it', locked, 0x6982);
    expectStatus('the right PIN', restored, 0x9000);
    expectNumber('tries left after that', (await card.info()).pinTries, limits.pinTries);
  },

  'PIN-7': async (card: CardOnBench): Promise<void> => {
    // The PIN that it has already: a card that takes it is found out, and nothing is lost.
    const data = toUtf8(card.knownPin);
    const set = await card.send('changeReferenceData', data, changeReference.first, pinReference);
    expectStatus('a first PIN in the place of another', set.sw, 0x6985);
    expectStatus('VERIFY after it', await card.verify(card.knownPin), 0x9000);
  },

  'HOST-1': async (card: CardOnBench): Promise<void> => {
    const { coins } = await card.info();
    const seen = new Set<string>();
    for (let first = 0; first < coins;) {
      const page = await coinsFrom(card, first);
      expectNumber('total', page.total, coins);
      const { entries } = page;
      expectThat(entries.length > 0 && entries.length <= coinsAPage, `a page of ${entries.length}`);
      for (const { coinId } of entries) seen.add(coinId.join());
      first += entries.length;
    }
    expectNumber('different coins', seen.size, coins);
    expectNumber('coins behind the last', (await coinsFrom(card, coins)).entries.length, 0);
  },

  'HOST-2': async (card: CardOnBench): Promise<void> => {
    const { peerKeys } = await card.info();
    const seen = new Set<string>();
    for (let first = 0; first < peerKeys;) {
      const data = await card.done('listPeerKeys', none, first);
      const { total, entries } = decodeElement(peerKeyPage, data, 'page of slots');
      expectNumber('total', total, peerKeys);
      expectThat(
        entries.length > 0 && entries.length <= peerKeysAPage,
        `a page of ${entries.length}`,
      );
      for (const { paymentId, state, check } of entries) {
        seen.add(paymentId.join());
        expectThat((check === undefined) === (state === 'burned'), `check value of a ${state} key`);
      }
      first += entries.length;
    }
    expectNumber('different slots', seen.size, peerKeys);
    expectStatus(
      'LIST PEER KEYS with P2',
      (await card.send('listPeerKeys', none, 0, 1)).sw,
      0x6a86,
    );
  },

  'HOST-3': async (card: CardOnBench): Promise<void> => {
    expectStatus('AUTHORISE', (await card.send('authorise', anyAuthorisation())).sw, 0x9000);
    const unknown = anyAuthorisation().map((byte, i) => (i === 4 ? 4 : byte));
    for (const [what, data] of [
      ['of no operation', unknown],
      ['with a byte behind it', concatBytes(anyAuthorisation(), Uint8Array.of(0))],
      ['of three bytes', Uint8Array.of(1, 2, 3)],
    ] as const) {
      expectStatus(`AUTHORISE ${what}`, (await card.send('authorise', data)).sw, 0x6a80);
    }
    expectStatus(
      'AUTHORISE with P1',
      (await card.send('authorise', anyAuthorisation(), 1)).sw,
      0x6a86,
    );
    await card.select();
  },

  'HOST-4': async (card: CardOnBench): Promise<void> => {
    const paymentId = card.entropy.randomBytes(32);
    const { send, receive } = trafficDirections;
    for (const [what, name, data, p1, sw] of [
      ['to send', 'deriveTraffic', trafficRequest.encode({ paymentId }), send, 0x6a88],
      [
        'to receive',
        'deriveTraffic',
        trafficRequest.encode({ paymentId, epoch: 1n }),
        receive,
        0x6a88,
      ],
      ['without epoch', 'deriveTraffic', trafficRequest.encode({ paymentId }), receive, 0x6a80],
      [
        'of epoch 0',
        'deriveTraffic',
        trafficRequest.encode({ paymentId, epoch: 0n }),
        receive,
        0x6a80,
      ],
      ['in a third direction', 'deriveTraffic', trafficRequest.encode({ paymentId }), 3, 0x6a86],
      ['of no slot', 'erasePeerKey', paymentId, 0, 0x6a88],
      ['of 31 bytes', 'erasePeerKey', paymentId.subarray(1), 0, 0x6700],
    ] as const) {
      expectStatus(`${name} ${what}`, (await card.send(name, data, p1)).sw, sw);
    }
  },

  'HOST-5': async (card: CardOnBench): Promise<void> => {
    const { sw, data } = await card.send('deriveHostLink', new Uint8Array(16));
    expectStatus('DERIVE HOST LINK', sw, 0x6985);
    expectNumber('bytes of its answer', data.length, 0);
  },

  'HOST-6': async (card: CardOnBench): Promise<void> => {
    const isEnrolled = (await card.info()).lifeCycle === 'enrolled';
    const check = (over: Parameters<typeof checkOf>[0]) =>
      card.send('checkSignature', checkOf(over));
    const paymentId = card.entropy.randomBytes(32);
    const { bytes: transaction } = transactionOf(quoteOf(1), coinOf(1), strangersCertificate);
    const foreign = (await check({ transaction })).sw;
    expectStatus('CHECK SIGNATURE of another’s transaction', foreign, 0x6a88);
    const { sw, data } = await check({ paymentId });
    expectStatus('CHECK SIGNATURE of a stranger’s', sw, isEnrolled ? 0x9000 : 0x6a88);
    if (!isEnrolled) return;
    expectBytes('its answer', data, Uint8Array.of(0));
    expectStatus('CHECK SIGNATURE of nothing', (await check({})).sw, 0x6a80);
    expectStatus('CHECK SIGNATURE of both', (await check({ transaction, paymentId })).sw, 0x6a80);
  },
} as const;

const strangersCertificate = certificateFor(strangerKey.publicKey);

/** Whether the card takes a stranger's signature for its own. */
function checkOf(over: Omit<SignatureCheck, 'signature'>): Uint8Array {
  return signatureCheck.encode({ ...over, signature: strangerKey.sign(new Uint8Array(32)) });
}

export function otherThan(pin: string): string {
  return `${pin.slice(0, -1)}${pin.endsWith('0') ? '1' : '0'}`;
}

async function empty(card: CardOnBench, reference = pinReference): Promise<number> {
  return (await card.send('verify', none, 0, reference)).sw;
}

async function coinsFrom(card: CardOnBench, first: number) {
  const data = await card.done('listCoins', none, first >> 8, first & 0xff);
  return decodeElement(coinPage, data, 'page of coins');
}

function anyAuthorisation(): Uint8Array {
  return authorisation.encode({ operation: 'pay', digest: new Uint8Array(32).fill(0xda) });
}
