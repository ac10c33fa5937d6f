/**
 * A card that misbehaves on request: it stands before the real one and counts APDUs. What befalls
 * its storage is `power-cut.ts`.
 */
import type { Clock } from '../../applet-spec/clock.ts';
import { uintToBytes } from '../../applet-spec/bytes.ts';
import type { SoftwareCard } from '../../driver/reader/software-card.ts';
import { PowerLostError } from './card-error.ts';

/** `before`: the card does not see the APDU. `after`: the card has carried it out. */
export type FaultMoment = 'before' | 'after';

/** `apdu` is the count of the APDU since the script began, the first one 1. */
export type CardFault =
  /** Never answers. */
  | { readonly apdu: number; readonly kind: 'mute'; readonly moment: FaultMoment }
  | { readonly apdu: number; readonly kind: 'slow'; readonly ms: number }
  /** Torn out of the reader. */
  | { readonly apdu: number; readonly kind: 'remove'; readonly moment: FaultMoment }
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
  #faults: readonly CardFault[];
  #apdus = 0;

  constructor(card: SoftwareCard, clock: Clock, faults: readonly CardFault[] = []) {
    this.#card = card;
    this.#clock = clock;
    this.#faults = faults;
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
    if (fault.moment === 'after') await this.#card.process(command);
    return this.#befall(fault);
  }

  #befall(fault: Exclude<CardFault, { kind: 'slow' }>): Promise<Uint8Array> {
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
