/** POWER: what a card was given and told is there when the power comes back. */
import { concatBytes } from '../../applet-spec/bytes.ts';
import type { CommandName } from '../../applet-spec/commands.ts';
import type { CardOnBench } from './card-on-bench.ts';
import { expectBytes } from './expectation.ts';
import { ownPayment, takeOffer } from './peer-key-checks.ts';
import { homeKey, loadOf, q1, receiptOf, refusalOf } from './specimens.ts';

const none = new Uint8Array(0);

export const powerChecks = {
  'POWER-1': async (card: CardOnBench): Promise<void> => {
    const { station, paymentId } = await ownPayment(card);
    const arrived = await takeOffer(card, station);
    const delivered = { station: q1, acknowledgement: arrived.signature } as const;
    for (const [what, name, data] of [
      ['a coin', 'loadCoins', loadOf(card.life.nextCoin())],
      ['a handle', 'putHandle', card.entropy.randomBytes(16)],
      ['a receipt', 'conclude', receiptOf(arrived.paymentId, delivered, homeKey)],
      ['a refusal', 'conclude', refusalOf(paymentId)],
    ] as const satisfies readonly (readonly [string, CommandName, Uint8Array])[]) {
      await (await card.enterWithStation()).expect('done', name, data);
      const before = await whatIsShown(card);
      await card.powerCycle();
      await card.enter();
      expectBytes(`what the card shows after ${what}`, await whatIsShown(card), before);
    }
  },
} as const;

/** Application information, and the last pages of coins and slots: what came last is there. */
async function whatIsShown(card: CardOnBench): Promise<Uint8Array> {
  const { coins, peerKeys } = await card.info();
  const first = Math.max(0, coins - 16);
  return concatBytes(
    await card.done('getData', none, 0x01, 0x01),
    await card.done('listCoins', none, first >> 8, first & 0xff),
    await card.done('listPeerKeys', none, Math.max(0, peerKeys - 16)),
  );
}
