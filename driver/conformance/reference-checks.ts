/** LIFE and PUK: what wrong PINs and PUKs cost an expendable card, and what right ones do not. */
import { toUtf8 } from '../../applet-spec/bytes.ts';
import { pinReference, pukReference } from '../../applet-spec/commands.ts';
import { limits } from '../../applet-spec/limits.ts';
import type { CardOnBench } from './card-on-bench.ts';
import { expectNumber, expectStatus } from './expectation.ts';
import { otherThan } from './host-checks.ts';
import { pair, specimenPin, specimenPuk } from './life-checks.ts';

const otherPin = '777777';

export const referenceChecks = {
  'LIFE-19': async (card: CardOnBench): Promise<void> => {
    const expectLocked = async (after: string): Promise<void> => {
      expectStatus(`LIST COINS after ${after}`, (await card.send('listCoins')).sw, 0x6982);
    };
    await card.select();
    expectStatus('a change of the PIN', await changePin(card, specimenPin, otherPin), 0x9000);
    expectStatus('the change back', await changePin(card, otherPin, specimenPin), 0x9000);
    await expectLocked('both');
    await card.enter();
    const wrong = otherThan(specimenPin);
    expectStatus('a change for a wrong PIN', await changePin(card, wrong, otherPin), 0x63c2);
    await expectLocked('it');
    await card.enter();
    expectStatus('RESET RETRY COUNTER', await unblock(card, specimenPuk), 0x9000);
    await expectLocked('RESET RETRY COUNTER');
  },

  'LIFE-20': async (card: CardOnBench): Promise<void> => {
    await card.enter();
    const wrong = otherThan(specimenPin);
    const beginning = specimenPin.slice(0, limits.pinBytesLeast);
    expectStatus('VERIFY of the PIN’s beginning', await card.verify(beginning), 0x63c2);
    expectStatus('a change for a wrong PIN', await changePin(card, wrong, otherPin), 0x63c1);
    expectStatus('another', await changePin(card, wrong, otherPin), 0x63c0);
    await card.powerCycle();
    await card.select();
    const blocked = await changePin(card, specimenPin, otherPin);
    expectStatus('a change for the right one, blocked', blocked, 0x6983);
    expectNumber('tries left', (await card.info()).pinTries, 0);
    expectStatus('RESET RETRY COUNTER', await unblock(card, specimenPuk), 0x9000);
    expectStatus('VERIFY', await card.verify(specimenPin), 0x9000);
  },

  'PUK-1': async (card: CardOnBench): Promise<void> => {
    await card.enter();
    const verify = async (puk: string): Promise<number> =>
      (await card.send('verify', toUtf8(puk), 0, pukReference)).sw;
    for (let left = limits.pukTries - 1; left >= 0; left--) {
      expectStatus('a wrong PUK', await verify(otherThan(specimenPuk)), 0x63c0 | left);
      await card.powerCycle();
      await card.select();
      expectNumber('tries of the PUK left', (await card.info()).pukTries, left);
    }
    expectStatus('the right PUK, blocked', await verify(specimenPuk), 0x6983);
    expectStatus('RESET RETRY COUNTER for it', await unblock(card, specimenPuk), 0x6983);
    const change = pair(specimenPuk, '11223344');
    const { sw } = await card.send('changeReferenceData', change, 0, pukReference);
    expectStatus('a change for it', sw, 0x6983);
    expectStatus('VERIFY of the PIN', await card.verify(specimenPin), 0x9000);
  },
} as const;

async function changePin(card: CardOnBench, from: string, to: string): Promise<number> {
  return (await card.send('changeReferenceData', pair(from, to), 0, pinReference)).sw;
}

/** RESET RETRY COUNTER, to the PIN that the card had. */
async function unblock(card: CardOnBench, puk: string): Promise<number> {
  return (await card.send('resetRetryCounter', pair(puk, specimenPin), 0, pinReference)).sw;
}
