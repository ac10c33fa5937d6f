import { expect, it } from 'vitest';
import { concatBytes, toHex } from '../../applet-spec/bytes.ts';
import { putKey } from '../../applet-spec/scp03-put-key.ts';
import type { CardKeys } from '../../applet-spec/scp03-keys.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import { coinOf, quoteOf, receiptOf, transactionOf } from './applet-papers.ts';
import {
  blank,
  load,
  paid,
  stationKeys,
  type MakeBlankCard,
  type Subject,
} from './applet-subject.ts';

const windowBytes = 16;

export function describeSecrets(make: MakeBlankCard): void {
  it('nothing secret passes in the clear in a whole life', async () => {
    const subject = await blank(make);
    await wholeLife(subject);
    const secrets = {
      certificate: subject.certificate,
      coinSecret: coinOf(1).secret,
      otherCoinSecret: coinOf(2).secret,
      transportEnc: subject.card.delivery.keys.enc,
      stationKeys: allOf(stationKeys(0x51)),
      rotatedKeys: allOf(stationKeys(0x61)),
    };
    for (const [name, secret] of Object.entries(secrets)) {
      expect({ name, found: findWindow(subject.wire, secret) }).toEqual({ name, found: false });
    }
    // The search does find what is there.
    expect(findWindow(subject.wire, subject.card.delivery.serial)).toBe(true);
  });

  it('no GET DATA of any number gives the certificate or a key', async () => {
    const subject = await blank(make);
    await wholeLife(subject);
    const readable: number[] = [];
    for (let object = 0; object <= 0xffff; object += object < 0x0300 ? 1 : 0x0101) {
      const { sw, data } = await subject.host.send(
        'getData',
        new Uint8Array(0),
        object >> 8,
        object & 0xff,
      );
      if (sw === 0x9000) readable.push(object);
      expect(findWindow([data], subject.certificate)).toBe(false);
    }
    expect(readable).toEqual([0x0101, 0x0102]);
  });
}

function allOf({ enc, mac, dek, hostLink }: CardKeys): Uint8Array {
  return concatBytes(enc, mac, dek, hostLink);
}

async function wholeLife(subject: Subject): Promise<void> {
  const station = await subject.enrol();
  await load(station, coinOf(1), coinOf(2));
  const { coinId } = await paid(station, quoteOf(1));
  const coin = toHex(coinId) === toHex(coinOf(1).coinId) ? coinOf(1) : coinOf(2);
  const { paymentId } = transactionOf(quoteOf(1), coin, subject.certificate);
  await station.done('conclude', receiptOf(paymentId));
  await subject.host.done('listCoins');
  await subject.host.done('listPeerKeys');
  await subject.host.done('deriveHostLink', new Uint8Array(16));
  await station.exchange(putKey(primitives, subject.keys.dek, 1, 2, stationKeys(0x61)));
}

/**
 * Whether any 16 bytes in a row of `secret` stand anywhere in what passed, chains joined or not.
 */
function findWindow(wire: readonly Uint8Array[], secret: Uint8Array): boolean {
  const passed = wire.map(toHex);
  const text = toHex(secret);
  for (let at = 0; at + 2 * windowBytes <= text.length; at += 2) {
    const wanted = text.slice(at, at + 2 * windowBytes);
    if (passed.some((apdu) => apdu.includes(wanted))) return true;
  }
  return false;
}
