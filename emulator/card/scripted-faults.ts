/** A card that misbehaves on request: it stands before the real one and counts APDUs. */
import type { Clock } from '../../applet-spec/clock.ts';
import { uintToBytes } from '../../applet-spec/bytes.ts';
import type { SoftwareCard } from '../../driver/reader/software-card.ts';
import { PowerLostError } from './card-error.ts';
import type { CuttableStorage, PowerCut } from './power-cut.ts';

/** `before`: the card does not see the APDU. `after`: the card has carried it out. */
export type FaultMoment = 'before' | 'after';

/** `apdu` is the count of the APDU since the script began, the first one 1. */
export type CardFault =
  /** Never answers. */
  | { readonly apdu: number; readonly kind: 'mute'; readonly moment: FaultMoment }
  | { readonly apdu: number; readonly kind: 'slow'; readonly ms: number }
  /** Torn out of the reader. */
  | { readonly apdu: number; readonly kind: 'remove'; readonly moment: FaultMoment }
  /** Without power before or after the n-th write to its storage that this APDU makes. */
  | {
      readonly apdu: number;
      readonly kind: 'power-cut';
      readonly write: number;
      readonly moment: FaultMoment;
    }
  /** Somebody on the way answers this status word in the card's place. */
  | {
      readonly apdu: number;
      readonly kind: 'status';
      readonly sw: number;
      readonly moment: FaultMoment;
    };

export class FaultyCard implements SoftwareCard {
  readonly #card: SoftwareCard;
  readonly #clock: Clock;
  readonly #storage: CuttableStorage | undefined;
  #faults: readonly CardFault[] = [];
  #apdus = 0;

  /** `storage` is the card's own, for power cuts. Throws RangeError for a cut without it. */
  constructor(
    card: SoftwareCard,
    clock: Clock,
    faults: readonly CardFault[] = [],
    storage?: CuttableStorage,
  ) {
    this.#card = card;
    this.#clock = clock;
    this.#storage = storage;
    this.script(faults);
  }

  get atr(): Uint8Array {
    return this.#card.atr;
  }

  /** APDUs since the script began. */
  get apdus(): number {
    return this.#apdus;
  }

  /** Begins another script; its first APDU is the next one. */
  script(faults: readonly CardFault[]): void {
    if (this.#storage === undefined && faults.some(({ kind }) => kind === 'power-cut')) {
      throw new RangeError('the power of this card cannot be cut at a write');
    }
    this.#faults = faults;
    this.#apdus = 0;
  }

  powerOn(): void {
    this.#card.powerOn();
  }

  powerOff(): void {
    this.#card.powerOff();
  }

  reset(): void {
    this.#card.reset();
  }

  async process(command: Uint8Array): Promise<Uint8Array> {
    this.#apdus += 1;
    const fault = this.#faults.find(({ apdu }) => apdu === this.#apdus);
    if (fault === undefined) return this.#card.process(command);
    if (fault.kind === 'slow') {
      await new Promise<void>((resolve) => {
        this.#clock.after(fault.ms, resolve);
      });
      return this.#card.process(command);
    }
    if (fault.kind === 'power-cut') return this.#processWithCut(fault, command);
    if (fault.moment === 'after') await this.#card.process(command);
    return this.#befall(fault);
  }

  /** A command that makes fewer writes goes through unharmed. */
  async #processWithCut({ write, moment }: PowerCut, command: Uint8Array): Promise<Uint8Array> {
    this.#storage?.cutAt({ write, moment });
    try {
      return await this.#card.process(command);
    } finally {
      this.#storage?.cutAt(undefined);
    }
  }

  #befall(fault: Exclude<CardFault, { kind: 'slow' | 'power-cut' }>): Promise<Uint8Array> {
    switch (fault.kind) {
      case 'mute':
        return new Promise(() => {});
      case 'remove':
        this.#card.powerOff();
        return Promise.reject(new PowerLostError());
      case 'status':
        return Promise.resolve(uintToBytes(BigInt(fault.sw), 2));
    }
  }
}
