/**
 * The window of the adaptive proportion test for sources of more than two values (SP 800-90B
 * §4.4.2).
 */
const windowSamples = 512;
/** One false alarm in 2^20 tests (SP 800-90B §4.4 recommends 2^-20 to 2^-40). */
const falseAlarmBits = 20;

export type HealthTest = 'repetition count' | 'adaptive proportion';

/**
 * The continuous health tests of NIST SP 800-90B §4.4 over samples of one byte, for a source that
 * claims `minEntropyPerByte` bits in each.
 */
export class HealthTests {
  readonly repetitionCutoff: number;
  readonly proportionCutoff: number;
  #last = -1;
  #repetitions = 0;
  #windowFirst = -1;
  #windowPosition = 0;
  #windowMatches = 0;

  constructor(minEntropyPerByte: number) {
    if (!(minEntropyPerByte > 0 && minEntropyPerByte <= 8)) {
      throw new RangeError(`a byte cannot hold ${String(minEntropyPerByte)} bits of entropy`);
    }
    this.repetitionCutoff = 1 + Math.ceil(falseAlarmBits / minEntropyPerByte);
    this.proportionCutoff = proportionCutoff(minEntropyPerByte);
  }

  /** The test that fails with one of these samples, or undefined. */
  run(samples: Uint8Array): HealthTest | undefined {
    for (const sample of samples) {
      if (this.#repeats(sample)) return 'repetition count';
      if (this.#prevails(sample)) return 'adaptive proportion';
    }
    return undefined;
  }

  /** SP 800-90B §4.4.1. */
  #repeats(sample: number): boolean {
    this.#repetitions = sample === this.#last ? this.#repetitions + 1 : 1;
    this.#last = sample;
    return this.#repetitions >= this.repetitionCutoff;
  }

  /** SP 800-90B §4.4.2: how often a window's first sample occurs in it. */
  #prevails(sample: number): boolean {
    if (this.#windowPosition === 0) {
      this.#windowFirst = sample;
      this.#windowMatches = 0;
    }
    if (sample === this.#windowFirst) this.#windowMatches++;
    this.#windowPosition = (this.#windowPosition + 1) % windowSamples;
    return this.#windowMatches >= this.proportionCutoff;
  }
}

/**
 * 1 + CRITBINOM(W, 2^-H, 1 − α): one more than the least k that a binomial variable does not exceed
 * with probability 1 − α. The tail is summed from its far end, where the terms are small.
 */
function proportionCutoff(minEntropyPerByte: number): number {
  const p = 2 ** -minEntropyPerByte;
  const alpha = 2 ** -falseAlarmBits;
  let tail = 0;
  let logTerm = windowSamples * Math.log(p);
  for (let k = windowSamples; k > 0; k--) {
    tail += Math.exp(logTerm);
    if (tail > alpha) return Math.min(windowSamples, k + 1);
    logTerm += Math.log((k * (1 - p)) / ((windowSamples - k + 1) * p));
  }
  return 1;
}
