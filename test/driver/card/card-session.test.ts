import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CommandApdu, ResponseApdu } from '../../../applet-spec/apdu.ts';
import { uintToBytes } from '../../../applet-spec/bytes.ts';
import { coinPage, peerKeyPage, type CoinEntry } from '../../../applet-spec/card-objects.ts';
import { toUserName } from '../../../applet-spec/names.ts';
import { noblePrimitives as primitives } from '../../../applet-spec/noble-primitives.ts';
import { CardSession } from '../../../driver/card/card-session.ts';
import { openCard, type OpenCard } from '../../../driver/driver.ts';
import { InProcessReader } from '../../../driver/reader/in-process-reader.ts';
import { Card } from '../../../emulator/card/card.ts';
import { makeCard } from '../../../emulator/card/card-maker.ts';
import { MemoryStorage } from '../../../emulator/card/storage.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { countedEntropy, pin, puk } from '../desk/host-bench.ts';

const clock = new VirtualClock();
let reader: InProcessReader;
let inserted: Card;
let card: OpenCard;

beforeEach(async () => {
  const { image } = makeCard(countedEntropy('maker'));
  const entropy = countedEntropy('card');
  reader = new InProcessReader();
  inserted = new Card({ storage: new MemoryStorage(image), primitives, entropy, clock });
  reader.insert(inserted);
  card = await openCard({ reader, clock });
});
afterEach(async () => {
  await card.close();
  await reader.close();
});

async function setReferences(): Promise<void> {
  await card.session.setFirst('PIN', pin);
  await card.session.setFirst('PUK', puk);
}

describe('a blank card', () => {
  it('says what it is and takes its first PIN and PUK once', async () => {
    await expect(card.session.applicationInfo()).resolves.toMatchObject({ lifeCycle: 'blank' });
    await expect(card.session.verifyPin(pin)).rejects.toMatchObject({ code: 'pin-not-set' });
    await setReferences();
    await expect(card.session.applicationInfo()).resolves.toMatchObject({
      lifeCycle: 'initialised',
      pinTries: 3,
      pukTries: 10,
    });
    await expect(card.session.setFirst('PIN', '0000')).rejects.toMatchObject({
      code: 'reference-set-already',
      statusWord: 0x6985,
    });
  });
});

describe('the PIN', () => {
  beforeEach(setReferences);

  it('opens what it guards, and counts down when wrong', async () => {
    await expect(card.session.listCoins()).rejects.toMatchObject({
      code: 'pin-required',
      statusWord: 0x6982,
    });
    await expect(card.session.verifyPin('0000')).rejects.toMatchObject({
      code: 'pin-wrong',
      triesLeft: 2,
      statusWord: 0x63c2,
      message: 'wrong PIN, 2 tries left',
    });
    await card.session.verifyPin(pin);
    expect(card.session.pinVerified).toBe(true);
    await expect(card.session.listCoins()).resolves.toEqual([]);
    await expect(card.session.listPeerKeys()).resolves.toEqual([]);
  });

  it('blocks after three wrong tries, and the PUK gives a new one', async () => {
    for (const code of ['pin-wrong', 'pin-wrong', 'pin-blocked', 'pin-blocked']) {
      await expect(card.session.verifyPin('0000')).rejects.toMatchObject({ code });
    }
    await expect(card.session.unblockPin('00000000', '1111')).rejects.toMatchObject({
      code: 'puk-wrong',
      triesLeft: 9,
    });
    await card.session.unblockPin(puk, '1111');
    await card.session.verifyPin('1111');
  });

  it('and the PUK are changed for the old ones', async () => {
    await card.session.changePin(pin, '135790');
    await card.session.verifyPin('135790');
    await card.session.changePuk(puk, '11112222');
    await card.session.unblockPin('11112222', pin);
    await expect(card.session.changePin('9999', '1111')).rejects.toMatchObject({
      code: 'pin-wrong',
    });
  });

  it('and the PUK are wrong with a character too many, and nothing is changed', async () => {
    await expect(card.session.changePin(`${pin}9`, '1357')).rejects.toMatchObject({
      code: 'pin-wrong',
      triesLeft: 2,
    });
    await card.session.verifyPin(pin);
    const wrongPuk = { code: 'puk-wrong', triesLeft: 9 };
    await expect(card.session.changePuk(`${puk}9`, '11112222')).rejects.toMatchObject(wrongPuk);
    await card.session.unblockPin(puk, pin);
    await expect(card.session.unblockPin(`${puk}9`, '1357')).rejects.toMatchObject(wrongPuk);
    await card.session.verifyPin(pin);
    await card.session.changePuk(puk, '11112222');
  });

  it.each(['', '123', '12345678901234567', 'ü'.repeat(9)])(
    'of %j is refused before the card could count it',
    async (odd) => {
      await expect(card.session.verifyPin(odd)).rejects.toMatchObject({ code: 'reference-length' });
      await expect(card.session.applicationInfo()).resolves.toMatchObject({ pinTries: 3 });
    },
  );

  it('is not enough without a session of the station', async () => {
    await card.session.verifyPin(pin);
    await expect(card.session.deriveHostLink(new Uint8Array(16))).rejects.toMatchObject({
      name: 'CardError',
    });
    await expect(card.session.deriveSendTraffic(new Uint8Array(32))).rejects.toMatchObject({
      name: 'CardError',
    });
  });
});

describe('opening', () => {
  it('verifies the PIN at once, and leaves nothing open where it is wrong', async () => {
    await setReferences();
    await card.close();
    await expect(openCard({ reader, clock, pin: '0000' })).rejects.toMatchObject({ triesLeft: 2 });
    card = await openCard({ reader, clock, pin });
    expect(card.session.pinVerified).toBe(true);
  });

  it('tells an empty reader', async () => {
    const empty = new InProcessReader();
    await expect(openCard({ reader: empty, clock, cardWaitMs: 0 })).rejects.toMatchObject({
      code: 'no-card',
    });
    const waiting = openCard({ reader: empty, clock });
    const refused = expect(waiting).rejects.toMatchObject({ code: 'no-card' });
    await Promise.resolve();
    clock.advance(10_000);
    await refused;
    await empty.close();
  });

  it('waits for the card that is put in', async () => {
    await card.close();
    const late = new InProcessReader();
    const waiting = openCard({ reader: late, clock });
    await Promise.resolve();
    late.insert(inserted);
    card = await waiting;
    expect((await card.session.applicationInfo()).lifeCycle).toBe('blank');
    expect(clock.pending).toBe(0);
  });

  it('tells when the card is taken away', async () => {
    reader.remove();
    await expect(card.closed).resolves.toMatchObject({ reason: 'card-removed' });
    await expect(card.session.applicationInfo()).rejects.toMatchObject({ code: 'card-removed' });
  });
});

/** A card that answers what it is told to. */
function scripted(answer: (command: CommandApdu) => ResponseApdu): Promise<CardSession> {
  return CardSession.open({
    transmit: (command) =>
      Promise.resolve(
        command.ins === 0xa4 ? { data: new Uint8Array(0), sw: 0x9000 } : answer(command),
      ),
    transmitWhole: () => Promise.reject(new Error('nothing passes through here')),
  });
}

describe('cards that are not ours, or lie', () => {
  it.each([0x6a82, 0x6d00, 0x6e00])('without the applet are told by %i', async (sw) => {
    const opening = CardSession.open({
      transmit: () => Promise.resolve({ data: new Uint8Array(0), sw }),
      transmitWhole: () => Promise.reject(new Error('nothing passes through here')),
    });
    await expect(opening).rejects.toMatchObject({ code: 'applet-not-found', statusWord: sw });
  });

  it('with an answer that is not as specified', async () => {
    const session = await scripted(() => ({ data: Uint8Array.of(0x6e, 0x01), sw: 0x9000 }));
    await expect(session.applicationInfo()).rejects.toMatchObject({ code: 'malformed-answer' });
  });

  it('with a list shorter than its total', async () => {
    const empty = { total: 3, entries: [] };
    const session = await scripted(({ ins }) => ({
      data: ins === 0x18 ? coinPage.encode(empty) : peerKeyPage.encode(empty),
      sw: 0x9000,
    }));
    await expect(session.listCoins()).rejects.toMatchObject({ code: 'malformed-answer' });
    await expect(session.listPeerKeys()).rejects.toMatchObject({ code: 'malformed-answer' });
  });

  it('with a list of many pages', async () => {
    const all = Array.from({ length: 300 }, (_, i): CoinEntry => {
      const coinId = uintToBytes(BigInt(i), 16);
      return { coinId, value: BigInt(i), expiry: 1n, state: 'unspent' };
    });
    const asked: number[] = [];
    const session = await scripted(({ p1, p2 }) => {
      const first = (p1 << 8) | p2;
      asked.push(first);
      const entries = all.slice(first, first + 64);
      return { data: coinPage.encode({ total: all.length, entries }), sw: 0x9000 };
    });
    await expect(session.listCoins()).resolves.toEqual(all);
    expect(asked).toEqual([0, 63, 126, 189, 252]);
  });

  it('with a list that one leaves between two pages', async () => {
    const all = Array.from({ length: 100 }, (_, i): CoinEntry => {
      const coinId = uintToBytes(BigInt(i), 16);
      return { coinId, value: BigInt(i), expiry: 1n, state: 'unspent' };
    });
    let asked = 0;
    const session = await scripted(({ p1, p2 }) => {
      if (asked++ === 1) all.splice(5, 1);
      const first = (p1 << 8) | p2;
      const entries = all.slice(first, first + 64);
      return { data: coinPage.encode({ total: all.length, entries }), sw: 0x9000 };
    });
    await expect(session.listCoins()).resolves.toEqual(all);
    expect(all).toHaveLength(99);
  });

  it('with a list that never stays as it is', async () => {
    let drawn = 0n;
    const session = await scripted(({ ins }) => {
      const coinId = uintToBytes(++drawn, 16);
      const coin = { coinId, value: 1n, expiry: 1n, state: 'unspent' } as const;
      const key = {
        paymentId: uintToBytes(drawn, 32),
        role: 'payer',
        state: 'active',
        peer: toUserName('bob@q2'),
        coinId,
        sendEpoch: 0n,
      } as const;
      const data =
        ins === 0x18
          ? coinPage.encode({ total: 3, entries: [coin] })
          : peerKeyPage.encode({ total: 3, entries: [key] });
      return { data, sw: 0x9000 };
    });
    await expect(session.listCoins()).rejects.toMatchObject({ code: 'malformed-answer' });
    await expect(session.listPeerKeys()).rejects.toMatchObject({ code: 'malformed-answer' });
  });

  it('with any other status word by number and name', async () => {
    const session = await scripted(() => ({ data: new Uint8Array(0), sw: 0x6581 }));
    await expect(session.applicationInfo()).rejects.toMatchObject({
      code: 'refused-by-card',
      statusWord: 0x6581,
      message: 'GET DATA: the card answered 6581 memory-failure',
    });
  });
});
