/**
 * The power goes at every write of a card's whole life; repeating the torn step always leads on.
 */
import { describe, expect, it } from 'vitest';
import { toUtf8 } from '../../../applet-spec/bytes.ts';
import {
  coinErasure,
  profile,
  retirement,
  retirementDigest,
  trafficRequest,
  generatedKey,
} from '../../../applet-spec/card-objects.ts';
import {
  changeReference,
  pinReference,
  pukReference,
  trafficDirections,
} from '../../../applet-spec/commands.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import { putKey } from '../../../applet-spec/scp03-put-key.ts';
import { decodeElement } from '../../../applet-spec/tlv.ts';
import { PowerLostError } from '../../../emulator/card/card-error.ts';
import type { PowerCut } from '../../../emulator/card/power-cut.ts';
import type { TestStation } from '../../contract/applet-host.ts';
import {
  certificateFor,
  coinOf,
  lastKey,
  profileOf,
  quoteOf,
  receiptOf,
  transactionOf,
} from '../../contract/applet-papers.ts';
import {
  load,
  offered,
  paid,
  pin,
  puk,
  stationKeys,
  type Subject,
} from '../../contract/applet-subject.ts';
import { cuttableCard } from './card-bench.ts';

type Step = (subject: Subject) => Promise<void>;

const other = new Uint8Array(32).fill(1);
const offeredTransaction = transactionOf(quoteOf(7), coinOf(7), other);
const order = {
  orderId: new Uint8Array(16).fill(1),
  operation: 'refund',
  coinIds: [coinOf(2).coinId],
} as const;

/** Each can be repeated: that is what is tested. */
const life: readonly Step[] = [
  (subject) => setFirst(subject, pinReference, pin),
  (subject) => setFirst(subject, pukReference, puk),
  inSession(async (station, subject) => {
    const made = await station.done('generateKeyPair', new Uint8Array(16));
    subject.publicKey = decodeElement(generatedKey, made, 'key').publicKey;
    subject.certificate = certificateFor(subject.publicKey);
    await station.done('putCertificate', subject.certificate);
  }),
  inSession(async (station) => {
    await station.done('putProfile', profile.encode(profileOf()));
  }),
  rotateKeys,
  inSession(async (station) => {
    await station.done('putHandle', new Uint8Array(16).fill(5));
  }),
  inSession((station) => load(station, coinOf(1), coinOf(2, { value: 7n }))),
  inSession(async (station) => {
    await paid(station, quoteOf(1));
  }),
  inSession(async (station, subject) => {
    await station.done('conclude', receiptOf(paymentIdOf(subject)));
  }),
  inSession(async (_station, subject) => {
    const request = trafficRequest.encode({ paymentId: paymentIdOf(subject) });
    await subject.host.done('deriveTraffic', request, trafficDirections.send);
  }),
  inSession(async (station) => {
    const { bytes } = offeredTransaction;
    expect((await offered(station, bytes, coinOf(7).secret)).result).toBe('done');
  }),
  inSession(async (station) => {
    await station.host.authorise('refund', retirementDigest(primitives, retirement.encode(order)));
    await station.done('retireCoins', retirement.encode(order));
  }),
  inSession(async (station) => {
    await station.done('eraseCoins', coinErasure.encode({ coinIds: order.coinIds }));
  }),
  async (subject) => {
    await subject.connect();
  },
];

async function live(seed: string, cut?: PowerCut): Promise<{ writes: number; end: unknown }> {
  const { subject, storage } = cuttableCard(seed);
  storage.cutAt(cut);
  for (const step of life) {
    try {
      await step(subject);
    } catch (error) {
      if (!(error instanceof PowerLostError)) throw error;
      await subject.card.powerCycle();
      await step(subject);
    }
  }
  const slots = await subject.peerKeys();
  const end = {
    ...(await subject.info()),
    slots: slots.map(({ role, state, sendEpoch }) => ({ role, state, sent: sendEpoch >= 1n })),
  };
  return { writes: storage.writes, end };
}

describe('a life with one power cut', () => {
  it('ends as a life without, wherever the cut is', async () => {
    const whole = await live('whole');
    expect(whole.end).toMatchObject({
      lifeCycle: 'enrolled',
      pinTries: 3,
      pukTries: 10,
      keyVersion: 1,
      coins: 0,
      slots: [
        { role: 'payer', state: 'active', sent: true },
        { role: 'payee', state: 'provisional', sent: false },
      ],
    });
    for (let write = 1; write <= whole.writes; write++) {
      for (const moment of ['before', 'after'] as const) {
        const { end } = await live('whole', { write, moment });
        expect({ write, moment, end }).toEqual({ write, moment, end: whole.end });
      }
    }
  }, 120_000);

  it('a try at the PIN is paid for before it is compared', async () => {
    const { subject, storage } = cuttableCard('tries');
    await subject.host.select();
    await subject.host.setReferences(pin, puk);
    for (let left = 2; left >= 0; left--) {
      storage.cutAt({ write: 1, moment: 'after' });
      await expect(subject.host.verify('0000')).rejects.toThrow(PowerLostError);
      await subject.card.powerCycle();
      await subject.host.select();
      expect((await subject.info()).pinTries).toBe(left);
    }
    expect((await subject.host.verify(pin)).sw).toBe(0x6983);
  });

  it('an epoch is durable before its key is given out', async () => {
    const { subject, storage } = cuttableCard('epoch');
    const station = await subject.enrol();
    await load(station, coinOf(1));
    await paid(station, quoteOf(1));
    const paymentId = paymentIdOf(subject);
    await station.done('conclude', receiptOf(paymentId, {}, lastKey));
    storage.cutAt({ write: 1, moment: 'before' });
    const request = trafficRequest.encode({ paymentId });
    const derive = (): Promise<Uint8Array> =>
      subject.host.done('deriveTraffic', request, trafficDirections.send);
    await expect(derive()).rejects.toThrow(PowerLostError);
    await subject.card.powerCycle();
    await subject.connect();
    expect((await subject.peerKeys())[0]?.sendEpoch).toBe(0n);
    storage.cutAt({ write: 1, moment: 'after' });
    await expect(derive()).rejects.toThrow(PowerLostError);
    await subject.card.powerCycle();
    await subject.connect();
    expect((await subject.peerKeys())[0]?.sendEpoch).toBe(1n);
  });
});

async function setFirst({ host }: Subject, reference: number, value: string): Promise<void> {
  await host.select();
  const data = toUtf8(value);
  const { sw } = await host.send('changeReferenceData', data, changeReference.first, reference);
  // 6985 says that the torn one had been set.
  if (sw !== 0x6985) expect(sw).toBe(0x9000);
}

function inSession(run: (station: TestStation, subject: Subject) => Promise<void>): Step {
  return async (subject) => run(await subject.connect(), subject);
}

/** After a torn PUT KEY the greeting tells which keys are in force. */
async function rotateKeys(subject: Subject): Promise<void> {
  const { delivery } = subject.card;
  const own = stationKeys(0x51);
  await subject.host.select();
  if ((await subject.info()).keyVersion === delivery.keyVersion) {
    const station = await subject.connect();
    await station.exchange(putKey(primitives, delivery.keys.dek, delivery.keyVersion, 1, own));
  }
  subject.keys = own;
}

function paymentIdOf({ certificate }: Subject): Uint8Array {
  return transactionOf(quoteOf(1), coinOf(1), certificate).paymentId;
}
