import { expect, it } from 'vitest';
import { concatBytes } from '../../applet-spec/bytes.ts';
import { trafficAnswer, trafficRequest } from '../../applet-spec/card-objects.ts';
import { trafficDirections, type CardResult } from '../../applet-spec/commands.ts';
import { labels } from '../../applet-spec/labels.ts';
import { limits } from '../../applet-spec/limits.ts';
import { headNow } from '../../applet-spec/names.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import { acknowledgement } from '../../applet-spec/receipt.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { peerKeyCheck, peerTrafficKey } from '../../applet-spec/traffic-keys.ts';
import type { TestStation } from './applet-host.ts';
import {
  alice,
  bob,
  coinOf,
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
} from './applet-papers.ts';
import {
  acknowledgementSignature,
  blank,
  journal,
  load,
  offered,
  paid,
  type MakeBlankCard,
  type Subject,
} from './applet-subject.ts';

const coin = coinOf(1);
const payerCertificate = new Uint8Array(300).fill(3);
const { bytes: transactionBytes, paymentId: offeredId } = transactionOf(
  quoteOf(1),
  coin,
  payerCertificate,
);
/** Bob's home station is the last one, and decides. */
const bobsProfile = { user: bob, homeStation: q2, homeStationKey: lastKey.publicKey } as const;

export function describePeerKeys(make: MakeBlankCard): void {
  it('S37: acknowledges an offer with its own key, the same again for the same', async () => {
    const { subject, station } = await bobsCard(make);
    const first = acknowledgementSignature(await offered(station, transactionBytes, coin.secret));
    const body = acknowledgement.body.encode({
      ...headNow,
      paymentId: offeredId,
      payeeCertificate: primitives.sha256(subject.certificate),
    });
    const message = concatBytes(labels.acknowledgement, body);
    expect(primitives.verifyingKey(subject.publicKey).verify(message, first)).toBe(true);
    const again = await offered(station, transactionBytes, coin.secret);
    expect(acknowledgementSignature(again)).toEqual(first);
    expect(await subject.peerKeys()).toMatchObject([
      { paymentId: offeredId, role: 'payee', state: 'provisional', peer: alice },
    ]);
    expect((await journal(station, { paymentId: offeredId })).payment?.signature).toEqual(first);
    // A coin ID is its issuer's: it says nothing about the coins of this card.
    expect(await journal(station, { coinId: coin.coinId })).toEqual({});
  });

  it('S37: recomputes the commitment', async () => {
    const { subject, station } = await bobsCard(make);
    const wrong = coin.secret.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
    expect((await offered(station, transactionBytes, wrong)).result).toBe('commitment-mismatch');
    expect(await subject.peerKeys()).toEqual([]);
  });

  it('takes no offer of its own payment', async () => {
    const { subject, station, paymentId } = await alicesPayment(make);
    const { bytes } = transactionOf(quoteOf(1), coin, subject.certificate);
    expect((await offered(station, bytes, coin.secret)).result).toBe('conflict');
    expect((await stateOf(subject, paymentId))?.role).toBe('payer');
  });

  it('S38, S39: both cards activate the same key on the last station’s receipt', async () => {
    const payer = await alicesPayment(make);
    const payee = await bobsCard(make);
    const { bytes } = transactionOf(quoteOf(1), coin, payer.subject.certificate);
    const answer = await offered(payee.station, bytes, coin.secret);
    const acknowledged = receiptOf(payer.paymentId, {
      acknowledgement: acknowledgementSignature(answer),
    });
    for (const { station, subject } of [payer, payee]) {
      await station.done('conclude', acknowledged);
      await station.done('conclude', acknowledged);
      const slot = await stateOf(subject, payer.paymentId);
      expect(slot?.state).toBe('active');
      expect(slot?.check).toEqual(peerKeyCheck(primitives, coin.secret, payer.paymentId));
    }
    expect((await payer.subject.info()).coins).toBe(0);
  });

  it('never takes a spent or burned coin back', async () => {
    const { subject, station, paymentId } = await alicesPayment(make);
    await station.done('conclude', receiptOf(paymentId));
    expect((await station.send('loadCoins', loadOf(coin))).result).toBe('not-unspent');
    await subject.host.done('erasePeerKey', paymentId);
    expect((await station.send('loadCoins', loadOf(coin))).result).toBe('not-unspent');
  });

  it('burns the key of an undelivered payment, and its coin', async () => {
    const { subject, station, paymentId } = await alicesPayment(make);
    const word = receiptOf(paymentId, { verdict: 'undelivered', reason: 'payee-absent' });
    await station.done('conclude', word);
    const slot = await stateOf(subject, paymentId);
    expect(slot?.state).toBe('burned');
    expect(slot?.check).toBeUndefined();
    expect((await subject.info()).coins).toBe(0);
  });

  it('burns it for a reason that the card has no word for, too', async () => {
    const { subject, station, paymentId } = await alicesPayment(make);
    const word = receiptOf(paymentId, { verdict: 'undelivered', reason: 'code-200' });
    await station.done('conclude', word);
    expect((await stateOf(subject, paymentId))?.state).toBe('burned');
  });

  it('burns on the own station’s refusal before admission', async () => {
    const { subject, station, paymentId } = await alicesPayment(make);
    await station.done('conclude', refusalOf(paymentId));
    expect((await stateOf(subject, paymentId))?.state).toBe('burned');
  });

  it('believes nobody but who decides', async () => {
    const { subject, station, paymentId } = await alicesPayment(make);
    const otherPayment = new Uint8Array(32).fill(1);
    const cases: readonly (readonly [CardResult, Uint8Array])[] = [
      ['signature-invalid', receiptOf(paymentId, {}, strangerKey)],
      ['signature-invalid', receiptOf(paymentId, {}, homeKey)],
      ['signature-invalid', flipLast(receiptOf(paymentId))],
      ['wrong-station', receiptOf(paymentId, { station: q1 }, homeKey)],
      ['signature-invalid', refusalOf(paymentId, {}, strangerKey)],
      ['wrong-station', refusalOf(paymentId, { station: q2 }, lastKey)],
      ['not-found', receiptOf(otherPayment)],
    ];
    for (const [result, word] of cases) {
      expect((await station.send('conclude', word)).result).toBe(result);
    }
    expect((await stateOf(subject, paymentId))?.state).toBe('provisional');
  });

  it('on the payee’s card, believes no refusal and no foreign acknowledgement', async () => {
    const { subject, station } = await bobsCard(make);
    await offered(station, transactionBytes, coin.secret);
    const refusal = refusalOf(offeredId, { station: q2 }, lastKey);
    expect((await station.send('conclude', refusal)).result).toBe('wrong-station');
    const foreign = receiptOf(offeredId, { acknowledgement: new Uint8Array(64).fill(1) });
    expect((await station.send('conclude', foreign)).result).toBe('signature-invalid');
    expect((await stateOf(subject, offeredId))?.state).toBe('provisional');
    const undelivered = receiptOf(offeredId, { verdict: 'undelivered' });
    await station.done('conclude', undelivered);
    const again = await offered(station, transactionBytes, coin.secret);
    expect(again.result).toBe('already-concluded');
  });

  it('a verdict sticks', async () => {
    const delivered = await alicesPayment(make);
    const burned = await alicesPayment(make);
    const yes = receiptOf(delivered.paymentId);
    const no = receiptOf(delivered.paymentId, { verdict: 'undelivered' });
    await delivered.station.done('conclude', yes);
    expect((await delivered.station.send('conclude', no)).result).toBe('already-concluded');
    const refusal = refusalOf(delivered.paymentId);
    expect((await delivered.station.send('conclude', refusal)).result).toBe('already-concluded');
    await burned.station.done('conclude', receiptOf(burned.paymentId, { verdict: 'undelivered' }));
    const late = receiptOf(burned.paymentId);
    expect((await burned.station.send('conclude', late)).result).toBe('already-concluded');
  });

  it('S4: advances its epoch for every key to send under, across power and hosts', async () => {
    const { subject, station, paymentId } = await alicesPayment(make);
    await station.done('conclude', receiptOf(paymentId));
    for (const epoch of [1n, 2n]) {
      expect(await sendKey(subject, paymentId)).toEqual({
        epoch,
        trafficKey: peerTrafficKey(primitives, coin.secret, 'to-payee', paymentId, epoch),
      });
    }
    await subject.card.powerCycle();
    await subject.connect();
    expect((await sendKey(subject, paymentId)).epoch).toBe(3n);
    expect((await stateOf(subject, paymentId))?.sendEpoch).toBe(3n);
  });

  it('S4: gives no epoch of a key twice, though it was erased and arrives again', async () => {
    const { subject, station } = await bobsCard(make);
    const arrive = async (over: TestStation): Promise<void> => {
      const answer = await offered(over, transactionBytes, coin.secret);
      const acknowledgement = acknowledgementSignature(answer);
      await over.done('conclude', receiptOf(offeredId, { acknowledgement }));
    };
    await arrive(station);
    expect((await sendKey(subject, offeredId)).epoch).toBe(1n);
    expect((await sendKey(subject, offeredId)).epoch).toBe(2n);
    await subject.host.done('erasePeerKey', offeredId);
    await subject.card.powerCycle();
    await arrive(await subject.connect());
    expect((await sendKey(subject, offeredId)).epoch).toBe(3n);
  });

  it('S4: derives for receiving what the peer’s card derives for sending', async () => {
    const { subject, station, paymentId } = await alicesPayment(make);
    await station.done('conclude', receiptOf(paymentId));
    const request = trafficRequest.encode({ paymentId, epoch: 41n });
    const data = await subject.host.done('deriveTraffic', request, trafficDirections.receive);
    expect(decodeElement(trafficAnswer, data, 'key')).toEqual({
      epoch: 41n,
      trafficKey: peerTrafficKey(primitives, coin.secret, 'to-payer', paymentId, 41n),
    });
    expect((await sendKey(subject, paymentId)).epoch).toBe(1n);
  });

  it('S4: on the payee’s card, the same two directions the other way round', async () => {
    const { subject, station } = await bobsCard(make);
    const answer = await offered(station, transactionBytes, coin.secret);
    const acknowledgement = acknowledgementSignature(answer);
    await station.done('conclude', receiptOf(offeredId, { acknowledgement }));
    expect((await sendKey(subject, offeredId)).trafficKey).toEqual(
      peerTrafficKey(primitives, coin.secret, 'to-payer', offeredId, 1n),
    );
    const request = trafficRequest.encode({ paymentId: offeredId, epoch: 1n });
    const data = await subject.host.done('deriveTraffic', request, trafficDirections.receive);
    expect(decodeElement(trafficAnswer, data, 'key').trafficKey).toEqual(
      peerTrafficKey(primitives, coin.secret, 'to-payee', offeredId, 1n),
    );
  });

  it('S4: takes the epoch of what it receives, never of what it sends', async () => {
    const { subject, station, paymentId } = await alicesPayment(make);
    await station.done('conclude', receiptOf(paymentId));
    const { send, receive } = trafficDirections;
    const named = (epoch: bigint) => trafficRequest.encode({ paymentId, epoch });
    const unnamed = trafficRequest.encode({ paymentId });
    for (const [direction, request] of [
      [send, named(7n)],
      [receive, unnamed],
      [receive, named(0n)],
    ] as const) {
      expect((await subject.host.send('deriveTraffic', request, direction)).sw).toBe(0x6a80);
    }
    for (const [p1, p2] of [
      [send + receive + 1, 0],
      [send, 1],
    ] as const) {
      expect((await subject.host.send('deriveTraffic', unnamed, p1, p2)).sw).toBe(0x6a86);
    }
    expect((await sendKey(subject, paymentId)).epoch).toBe(1n);
  });

  it('gives applications active keys only', async () => {
    const { subject, station, paymentId } = await alicesPayment(make);
    const derive = async (): Promise<number> => {
      const request = trafficRequest.encode({ paymentId });
      return (await subject.host.send('deriveTraffic', request, trafficDirections.send)).sw;
    };
    expect(await derive()).toBe(0x6985);
    await station.done('conclude', receiptOf(paymentId, { verdict: 'undelivered' }));
    expect(await derive()).toBe(0x6985);
    await subject.host.done('erasePeerKey', paymentId);
    expect(await derive()).toBe(0x6a88);
    await subject.host.select();
    expect(await derive()).toBe(0x6982);
  });

  it('erases no key whose verdict is still to come', async () => {
    const { subject, station, paymentId } = await alicesPayment(make);
    expect((await subject.host.send('erasePeerKey', paymentId)).sw).toBe(0x6985);
    await station.done('conclude', receiptOf(paymentId));
    await subject.host.done('erasePeerKey', paymentId);
    expect(await subject.peerKeys()).toEqual([]);
    expect((await subject.host.send('erasePeerKey', paymentId)).sw).toBe(0x6a88);
  });

  it('erases the one key that is named, and no other', async () => {
    const { subject, station, paymentId } = await alicesPayment(make);
    await station.done('conclude', receiptOf(paymentId));
    const { bytes, paymentId: other } = transactionOf(quoteOf(2), coin, payerCertificate);
    await offered(station, bytes, coin.secret);
    await subject.host.done('erasePeerKey', paymentId);
    const left = await subject.peerKeys();
    expect(left).toMatchObject([{ paymentId: other, state: 'provisional' }]);
    expect((await subject.host.send('erasePeerKey', other.subarray(1))).sw).toBe(0x6700);
    expect((await subject.host.send('erasePeerKey', other, 1)).sw).toBe(0x6a86);
  });

  it('says when it has no slot for a key that arrives', async () => {
    const { subject, station } = await bobsCard(make);
    for (let n = 0; n < limits.cardPeerKeys; n++) {
      const { bytes } = transactionOf(quoteOf(n), coin, payerCertificate);
      expect((await offered(station, bytes, coin.secret)).result).toBe('done');
    }
    const { bytes } = transactionOf(quoteOf(999), coin, payerCertificate);
    expect((await offered(station, bytes, coin.secret)).result).toBe('peer-keys-full');
    expect((await subject.info()).peerKeys).toBe(64);
  });
}

async function bobsCard(make: MakeBlankCard): Promise<{ subject: Subject; station: TestStation }> {
  const subject = await blank(make);
  const station = await subject.enrol(bobsProfile);
  return { subject, station };
}

async function alicesPayment(
  make: MakeBlankCard,
): Promise<{ subject: Subject; station: TestStation; paymentId: Uint8Array }> {
  const subject = await blank(make);
  const station = await subject.enrol();
  await load(station, coin);
  await paid(station, quoteOf(1));
  const { paymentId } = transactionOf(quoteOf(1), coin, subject.certificate);
  return { subject, station, paymentId };
}

async function stateOf(
  subject: Subject,
  paymentId: Uint8Array,
): Promise<Awaited<ReturnType<Subject['peerKeys']>>[number] | undefined> {
  const slots = await subject.peerKeys();
  return slots.find((slot) => slot.paymentId.every((byte, i) => byte === paymentId[i]));
}

async function sendKey(
  { host }: Subject,
  paymentId: Uint8Array,
): Promise<{ readonly epoch: bigint; readonly trafficKey: Uint8Array }> {
  const request = trafficRequest.encode({ paymentId });
  const data = await host.done('deriveTraffic', request, trafficDirections.send);
  return decodeElement(trafficAnswer, data, 'key');
}

function flipLast(bytes: Uint8Array): Uint8Array {
  return bytes.map((byte, i) => (i === bytes.length - 1 ? byte ^ 1 : byte));
}
