/** Emulated cards in this process, with their storage in the test's hands. */
import { noblePrimitives } from '../../../applet-spec/noble-primitives.ts';
import type { ApduProfile } from '../../../emulator/card/atr.ts';
import { makeCard } from '../../../emulator/card/card-maker.ts';
import { Card } from '../../../emulator/card/card.ts';
import { CuttableStorage } from '../../../emulator/card/power-cut.ts';
import { MemoryStorage } from '../../../emulator/card/storage.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { VirtualClock } from '../../../emulator/virtual-clock.ts';
import { Subject, type GenuineCard } from '../../contract/applet-subject.ts';
import { testMaker } from '../../contract/test-maker.ts';

export interface CuttableCard {
  readonly subject: Subject;
  readonly storage: CuttableStorage;
}

export function cardUnderTest(profile: ApduProfile = 't1-extended'): GenuineCard {
  return underTest(profile, 'bench').card;
}

/** A card whose power can be cut at any write. */
export function cuttableCard(seed: string): CuttableCard {
  const { card, storage } = underTest('t1-extended', seed);
  return { subject: new Subject(card), storage };
}

function underTest(
  profile: ApduProfile,
  seed: string,
): { readonly card: GenuineCard; readonly storage: CuttableStorage } {
  const entropy = seededEntropy(seed);
  const { image, delivery } = makeCard(entropy, profile, testMaker);
  const storage = new CuttableStorage(new MemoryStorage(image));
  const clock = new VirtualClock();
  const card = new Card({ storage, primitives: noblePrimitives, entropy, clock });
  card.powerOn();
  return {
    storage,
    card: {
      delivery,
      makerRoot: testMaker.root,
      form: profile === 't1-extended' ? 'extended' : 'short',
      transmit: (apdu) => card.process(apdu),
      powerCycle: async () => {
        card.powerOff();
        card.powerOn();
      },
      dispose: async () => {
        card.powerOff();
      },
    },
  };
}
