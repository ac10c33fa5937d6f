import { expect, it } from 'vitest';
import type { CommandApdu } from '../../applet-spec/apdu.ts';
import { coinErasure, hostLinkAnswer, offer, retirement } from '../../applet-spec/card-objects.ts';
import { commands, type CommandName } from '../../applet-spec/commands.ts';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import { initializeUpdate } from '../../applet-spec/scp03-handshake.ts';
import { decodeElement } from '../../applet-spec/tlv.ts';
import { hostLinkKeys } from '../../applet-spec/traffic-keys.ts';
import { NotAuthentic, TestStation } from './applet-host.ts';
import {
  alice,
  coinOf,
  loadOf,
  quoteDigest,
  quoteOf,
  receiptOf,
  transactionOf,
} from './applet-papers.ts';
import { blank, load, paid, pay, stationKeys, type MakeBlankCard } from './applet-subject.ts';

const secureNames = Object.entries(commands)
  .filter(([, rule]) => rule.channel === 'secure')
  .map(([name]) => name as CommandName);

export function describeSecureSession(make: MakeBlankCard): void {
  it('opens for the right keys only', async () => {
    const subject = await blank(make);
    await subject.enrol();
    await subject.host.select();
    const challenge = new Uint8Array(16).fill(9);
    await expect(TestStation.open(subject.host, stationKeys(0x01), challenge)).rejects.toThrow(
      'card-cryptogram',
    );
    // An impostor that goes on regardless is not let in, and has one attempt for each greeting.
    const proof: CommandApdu = {
      ...commands.externalAuthenticate,
      p1: 0x33,
      p2: 0,
      data: new Uint8Array(32),
    };
    await subject.host.exchange(initializeUpdate(0, challenge));
    expect((await subject.host.exchange(proof)).sw).toBe(0x6982);
    expect((await subject.host.exchange(proof)).sw).toBe(0x6985);
  });

  it('has only the key version that it has', async () => {
    const subject = await blank(make);
    await subject.enrol();
    const challenge = new Uint8Array(16);
    expect((await subject.host.exchange(initializeUpdate(0x30, challenge))).sw).toBe(0x6a88);
    expect((await subject.host.exchange(initializeUpdate(1, challenge))).sw).toBe(0x9000);
    expect((await subject.host.exchange(initializeUpdate(1, challenge.slice(8)))).sw).toBe(0x6700);
  });

  it.each(secureNames)('does nothing of %s in the clear', async (name) => {
    const subject = await blank(make);
    await subject.enrol();
    expect((await subject.host.send(name, new Uint8Array(16))).sw).toBe(0x6982);
  });

  it.each(['mac', 'data', 'header', 'truncated'] as const)(
    'closes and executes nothing when the %s is tampered with',
    async (where) => {
      const subject = await blank(make);
      const station = await subject.enrol();
      const { cla, ins } = commands.loadCoins;
      const data = loadOf(coinOf(1));
      const good = station.wrap({ cla, ins, p1: 0, p2: 0, data, ne: 256 });
      expect((await subject.host.exchange(tampered(good, where))).sw).toBe(0x6982);
      expect((await subject.info()).coins).toBe(0);
      // Not even the untouched command is taken any more.
      expect((await subject.host.exchange(good)).sw).toBe(0x6982);
      expect((await subject.info()).coins).toBe(0);
      await load(await subject.openSession(), coinOf(1));
      expect((await subject.info()).coins).toBe(1);
    },
  );

  it('takes no command twice and none out of turn', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    const { cla, ins } = commands.putHandle;
    const data = new Uint8Array(16);
    const first = station.wrap({ cla, ins, p1: 0, p2: 0, data, ne: 256 });
    await subject.host.exchange(first);
    expect((await subject.host.exchange(first)).sw).toBe(0x6982);
    const next = await subject.openSession();
    next.wrap({ cla, ins, p1: 0, p2: 0, data });
    const second = next.wrap({ cla, ins, p1: 0, p2: 0, data });
    expect((await subject.host.exchange(second)).sw).toBe(0x6982);
  });

  it('lets the host speak in between', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1));
    await subject.host.done('listCoins');
    await paid(station, quoteOf(1));
  });

  it('ends with SELECT, with power and with a new greeting', async () => {
    const subject = await blank(make);
    const ends = [
      (): Promise<unknown> => subject.host.select(),
      async (): Promise<void> => {
        await subject.card.powerCycle();
        await subject.host.select();
      },
      (): Promise<unknown> => subject.host.exchange(initializeUpdate(0, new Uint8Array(16))),
    ];
    await subject.enrol();
    for (const end of ends) {
      const station = await subject.openSession();
      await end();
      await expect(station.send('putHandle', new Uint8Array(16))).rejects.toThrow(NotAuthentic);
    }
  });

  it('refuses parameters that a command of the station has not', async () => {
    const subject = await blank(make);
    await subject.enrol();
    const orderId = new Uint8Array(16);
    const coinIds = [coinOf(1).coinId];
    const { bytes: transaction } = transactionOf(quoteOf(2), coinOf(2), new Uint8Array(300));
    const sound = {
      loadCoins: loadOf(coinOf(1)),
      retireCoins: retirement.encode({ orderId, operation: 'refund', coinIds }),
      eraseCoins: coinErasure.encode({ coinIds }),
      pay: quoteOf(1),
      offer: offer.encode({ payer: alice, transaction, coinSecret: coinOf(2).secret }),
      conclude: receiptOf(new Uint8Array(32)),
    };
    for (const [name, data] of Object.entries(sound)) {
      for (const [p1, p2] of [[2, 0] as const, [0, 1] as const]) {
        const station = await subject.connect();
        const sent = station.send(name as CommandName, data, p1, p2);
        await expect(sent).rejects.toMatchObject({ sw: 0x6a86 });
      }
    }
  });

  it('answers what it cannot read with an error that proves nothing, and goes on', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await expect(station.send('loadCoins', new Uint8Array(5))).rejects.toMatchObject({
      sw: 0x6a80,
    });
    await load(await subject.openSession(), coinOf(1));
  });

  it('derives for the host what the station derives for itself', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    const hostNonce = new Uint8Array(16).fill(0x77);
    const derived = await subject.host.done('deriveHostLink', hostNonce);
    expect(decodeElement(hostLinkAnswer, derived, 'keys')).toEqual(
      hostLinkKeys(primitives, subject.keys.hostLink, {
        cardChallenge: station.greeting.cardChallenge,
        stationChallenge: station.challenge,
        hostNonce,
      }),
    );
    await subject.host.select();
    expect((await subject.host.send('deriveHostLink', hostNonce)).sw).toBe(0x6982);
    await subject.host.verify('2580');
    expect((await subject.host.send('deriveHostLink', hostNonce)).sw).toBe(0x6985);
  });

  it('keeps an authorisation through a new session, and uses it once', async () => {
    const subject = await blank(make);
    const station = await subject.enrol();
    await load(station, coinOf(1), coinOf(2));
    await subject.host.authorise('pay', quoteDigest(quoteOf(1)));
    const next = await subject.openSession();
    expect((await next.send('pay', quoteOf(1))).result).toBe('done');
    expect((await next.send('pay', quoteOf(2))).result).toBe('not-authorised');
    expect((await pay(next, quoteOf(2))).result).toBe('done');
  });
}

function tampered(
  command: CommandApdu,
  where: 'mac' | 'data' | 'header' | 'truncated',
): CommandApdu {
  const { data } = command;
  const flip = (index: number): Uint8Array =>
    data.map((byte, i) => (i === index ? byte ^ 0x01 : byte));
  switch (where) {
    case 'mac':
      return { ...command, data: flip(data.length - 1) };
    case 'data':
      return { ...command, data: flip(0) };
    case 'header':
      return { ...command, p1: 1 };
    case 'truncated':
      return { ...command, data: data.slice(0, -1) };
  }
}
