import { seededEntropy } from '../../emulator/entropy.ts';

/** Chance from a seed. */
export class Dice {
  readonly #entropy;

  constructor(seed: string) {
    this.#entropy = seededEntropy(seed);
  }

  /** From `least` to `most`, both included. */
  number(least: number, most: number): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.#entropy.randomBytes(4);
    const drawn = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    return least + (drawn % (most - least + 1));
  }

  oneOf<T>(things: readonly T[]): T {
    const thing = things[this.number(0, things.length - 1)];
    if (thing === undefined) throw new RangeError('nothing to choose from');
    return thing;
  }

  happens(times: number, of: number): boolean {
    return this.number(1, of) <= times;
  }
}
