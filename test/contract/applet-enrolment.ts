import { expect, it } from 'vitest';
import { concatBytes } from '../../applet-spec/bytes.ts';
import { coinErasure, offer, owner, profile, retirement } from '../../applet-spec/card-objects.ts';
import { dataObjects, type CardResult, type CommandName } from '../../applet-spec/commands.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import { keyCheckValue, putKey } from '../../applet-spec/scp03-put-key.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { toUserName } from '../../applet-spec/names.ts';
import { NotAuthentic, type TestStation } from './applet-host.ts';
import {
  alice,
  certificateFor,
  coinOf,
  loadOf,
  profileOf,
  quoteOf,
  receiptOf,
  strangerKey,
  transactionOf,
} from './applet-papers.ts';
import { blank, load, paid, pin, puk, stationKeys, type MakeBlankCard } from './applet-subject.ts';

export function describeEnrolment(make: MakeBlankCard): void {
  it('shows its serial number and transport keys while it is new', async () => {
    const subject = await blank(make);
    await subject.host.select();
    const { serial, keyVersion } = subject.card.delivery;
    expect(await subject.info()).toMatchObject({
      lifeCycle: 'blank',
      identifier: serial,
      keyVersion,
      pinTries: 3,
      pukTries: 10,
      coins: 0,
      peerKeys: 0,
    });
    const station = await subject.openSession();
    expect(station.greeting.diversification).toEqual(serial.slice(0, 10));
  });

  it('is enrolled when certificate, profile and its station’s own keys are in', async () => {
    const subject = await blank(make);
    await subject.personalise();
    expect((await subject.info()).lifeCycle).toBe('initialised');
    const again = await blank(make);
    await again.enrol();
    expect(await again.info()).toMatchObject({ lifeCycle: 'enrolled', keyVersion: 1 });
  });

  it('tells its owner after the PIN, and not before', async () => {
    const subject = await blank(make);
    await subject.enrol();
    const read = (): ReturnType<typeof subject.host.send> => {
      const { owner: object } = dataObjects;
      return subject.host.send('getData', new Uint8Array(0), object >> 8, object & 0xff);
    };
    const { sw, data } = await read();
    expect(sw).toBe(0x9000);
    const certificate = primitives.sha256(subject.certificate);
    expect(decodeElement(owner, data, 'owner')).toEqual({ ...profileOf(), certificate });
    await subject.host.select();
    expect((await read()).sw).toBe(0x6982);
  });

  it('refuses enrolment to a card without PIN and PUK', async () => {
    const subject = await blank(make);
    await subject.host.select();
    const station = await subject.openSession();
    const { result } = await station.send('generateKeyPair', new Uint8Array(16));
    expect(result).toBe('not-initialised');
  });

  it('refuses what needs enrolment, with authentic words', async () => {
    const subject = await blank(make);
    const station = await subject.personalise();
    const orderId = new Uint8Array(16);
    const coinIds = [coinOf(1).coinId];
    const held = new Uint8Array(300);
    const { bytes: transaction, paymentId } = transactionOf(quoteOf(1), coinOf(1), held);
    const commands: readonly (readonly [CommandName, Uint8Array])[] = [
      ['loadCoins', loadOf(coinOf(1))],
      ['retireCoins', retirement.encode({ orderId, operation: 'refund', coinIds })],
      ['eraseCoins', coinErasure.encode({ coinIds })],
      ['pay', quoteOf(1)],
      ['offer', offer.encode({ payer: alice, transaction, coinSecret: coinOf(1).secret })],
      ['conclude', receiptOf(paymentId)],
    ];
    for (const [name, data] of commands) {
      expect((await station.send(name, data)).result).toBe<CardResult>('not-enrolled');
    }
  });

  it('takes a certificate for its own key only', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    const foreign = certificateFor(strangerKey.publicKey);
    expect((await station.send('putCertificate', foreign)).result).toBe('conflict');
    const renewed = concatBytes(subject.certificate, new Uint8Array(3));
    expect((await station.send('putCertificate', renewed)).result).toBe('done');
  });

  it('keeps its old key until the certificate of the new one comes', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1));
    await station.done('generateKeyPair', new Uint8Array(16));
    const { certificate } = await paid(station, quoteOf(1));
    expect(certificate).toEqual(subject.certificate);
  });

  it('lets its limits change, but not its owner', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    const put = async (changes: Parameters<typeof profileOf>[0]): Promise<CardResult> =>
      (await station.send('putProfile', profile.encode(profileOf(changes)))).result;
    expect(await put({ paymentLimit: 5n })).toBe('done');
    expect(await put({ user: toUserName('mallory@q1') })).toBe('conflict');
    expect(await put({ network: 'other' })).toBe('conflict');
  });

  it('changes its keys under the old ones, from the next session on', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    const next = stationKeys(0x61);
    const command = putKey(primitives, subject.keys.dek, 1, 2, next);
    const first = await station.exchange(command);
    const checks = [next.enc, next.mac, next.dek, next.hostLink].map((key) =>
      keyCheckValue(primitives, key),
    );
    expect(first).toEqual({ result: 'done', payload: concatBytes(Uint8Array.of(2), ...checks) });
    // The answer may have been lost: the same again, in the same session, is the same.
    expect(await station.exchange(command)).toEqual(first);
    await expect(subject.connect()).rejects.toThrow('card-cryptogram');
    subject.keys = next;
    await subject.connect();
    expect((await subject.info()).keyVersion).toBe(2);
  });

  it('refuses keys that arrive damaged, or other keys under a version in use', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    const good = putKey(primitives, subject.keys.dek, 1, 2, stationKeys(0x61));
    const damaged = { ...good, data: good.data.map((byte, i) => (i === 10 ? byte ^ 1 : byte)) };
    expect((await station.exchange(damaged)).result).toBe('key-check-failed');
    const same = putKey(primitives, subject.keys.dek, 1, 1, stationKeys(0x71));
    expect((await station.exchange(same)).result).toBe('conflict');
    const replaced = putKey(primitives, subject.keys.dek, 5, 2, stationKeys(0x61));
    expect(await statusOf(station.exchange(replaced))).toBe(0x6a88);
    await subject.connect();
  });

  it('goes by its handle from the next greeting on', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    const handle = new Uint8Array(16).fill(0xa5);
    await station.done('putHandle', handle);
    expect((await subject.info()).identifier).toEqual(handle);
    const next: TestStation = await subject.connect();
    expect(next.greeting.diversification).toEqual(handle.slice(0, 10));
  });

  it('sets PIN and PUK again for nobody, enrolled or not', async () => {
    const subject = await blank(make);
    await subject.enrol();
    await expect(subject.host.setReferences(pin, puk)).rejects.toThrow('6985');
  });
}

async function statusOf(reply: Promise<unknown>): Promise<number> {
  try {
    await reply;
  } catch (error) {
    if (error instanceof NotAuthentic) return error.sw;
    throw error;
  }
  throw new Error('the card answered authentically');
}
