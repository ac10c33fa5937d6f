/** An emulated card with a defect, made from the parts of a sound one. */
import { noblePrimitives } from '../../../applet-spec/noble-primitives.ts';
import type { Entropy, Primitives } from '../../../applet-spec/primitives.ts';
import type { SoftwareCard } from '../../../driver/reader/software-card.ts';
import { ApduTransport } from '../../../emulator/card/apdu-transport.ts';
import { Applet } from '../../../emulator/card/applet.ts';
import { atrOf, type ApduProfile } from '../../../emulator/card/atr.ts';
import { CardMemory } from '../../../emulator/card/card-memory.ts';
import type { CardState } from '../../../emulator/card/card-state.ts';
import { MemoryStorage, type Storage } from '../../../emulator/card/storage.ts';

export type Process = (apdu: Uint8Array) => Promise<Uint8Array>;

/** What is wrong with the card; each part is sound where nothing is said of it. */
export interface Defect {
  readonly announces?: ApduProfile;
  /** The applet's memory keeps this instead of what it was given; `before` is what it held. */
  readonly remembers?: (state: CardState, before: CardState) => CardState;
  /** What is left of its memory when the power comes back. */
  readonly loses?: (state: CardState) => CardState;
  readonly entropy?: (sound: Entropy) => Entropy;
  readonly primitives?: (sound: Primitives) => Primitives;
  /** Stands between the reader and the card; made anew at each power-on. */
  readonly wire?: (sound: Process) => Process;
}

export function defectiveCard(
  image: Uint8Array,
  profile: ApduProfile,
  entropy: Entropy,
  defect: Defect = {},
): SoftwareCard {
  const { remembers = unchanged, loses, wire = unchanged } = defect;
  const memory = new ForgetfulMemory(new MemoryStorage(image), remembers);
  const applet = new Applet({
    memory,
    primitives: defect.primitives?.(noblePrimitives) ?? noblePrimitives,
    entropy: defect.entropy?.(entropy) ?? entropy,
  });
  const transport = new ApduTransport(profile, (command) => applet.process(command));
  const sound: Process = async (apdu) => transport.exchange(apdu);
  let process = wire(sound);
  const reset = (): void => {
    transport.reset();
    applet.reset();
    if (loses !== undefined) memory.replace(loses(memory.state));
    process = wire(sound);
  };
  return {
    atr: atrOf(defect.announces ?? profile),
    powerOn: reset,
    powerOff: reset,
    reset,
    process: (apdu) => process(apdu),
  };
}

function unchanged<T>(sound: T): T {
  return sound;
}

class ForgetfulMemory extends CardMemory {
  readonly #remembers: NonNullable<Defect['remembers']>;

  constructor(storage: Storage, remembers: NonNullable<Defect['remembers']>) {
    super(storage);
    this.#remembers = remembers;
  }

  override replace(next: CardState): void {
    super.replace(this.#remembers(next, this.state));
  }
}
