import { noblePrimitives } from '../../applet-spec/noble-primitives.ts';
import { makeCard } from '../../emulator/card/card-maker.ts';
import { Card } from '../../emulator/card/card.ts';
import { MemoryStorage } from '../../emulator/card/storage.ts';
import { systemClock } from '../../emulator/clock.ts';
import { seededEntropy } from '../../emulator/entropy.ts';
import { Subject } from './applet-subject.ts';
import { testMaker } from './test-maker.ts';

export interface CardInHand {
  readonly card: Card;
  readonly subject: Subject;
}

/** A new card under power, to be made ready for the reader that it is then put into. */
export function cardInHand(seed: string): CardInHand {
  const entropy = seededEntropy(seed);
  const { image, delivery } = makeCard(entropy, 't1-extended', testMaker);
  const seams = { primitives: noblePrimitives, entropy, clock: systemClock };
  const card = new Card({ storage: new MemoryStorage(image), ...seams });
  card.powerOn();
  const subject = new Subject({
    delivery,
    form: 'extended',
    transmit: (apdu) => card.process(apdu),
    powerCycle: () => Promise.reject(new Error('a card in the hand stays under power')),
    dispose: () => Promise.resolve(),
  });
  return { card, subject };
}
