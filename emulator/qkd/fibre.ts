/** A quantum channel: how many secret bits it yields, block by block, and how many it can store. */
export interface FibreOptions {
  readonly lengthKm: number;
  /** Default 0.2. */
  readonly attenuationDbPerKm?: number;
  /** Secret bits per second; by default from length and loss. */
  readonly rateBitsPerSecond?: number;
  /** Bits per distilled block; by default a quarter of a second's worth. */
  readonly blockBits?: number;
  /** What the key managers can store. Default 4,194,304. */
  readonly storeBits?: number;
  /** What they have stored at the start. Default: all that they can. */
  readonly initialBits?: number;
  /** Names the sequence of error rates. */
  readonly seed: string;
  readonly startMs: number;
}

const rateAtZeroLossBitsPerSecond = 17.094e6;
const nominalErrorRate = 0.02;

/** R = 17.094 Mbit/s × 10^(−αL/10). */
export function secretKeyRate(lengthKm: number, attenuationDbPerKm = 0.2): number {
  return rateAtZeroLossBitsPerSecond * 10 ** ((-attenuationDbPerKm * lengthKm) / 10);
}

/**
 * Blocks are distilled at a steady pace. The error rate (QBER) of each wavers round 2 %; privacy
 * amplification leaves 1 − 2h(QBER) of it, which is nothing from 11 % on.
 */
export class Fibre {
  readonly rateBitsPerSecond: number;
  readonly storeBits: number;
  readonly #blockBits: number;
  readonly #blockMs: number;
  readonly #seed: number;
  readonly #startMs: number;
  #blocks = 0;
  #bits: number;
  #errorRate = nominalErrorRate;
  #disturbance: number | undefined;

  constructor(options: FibreOptions) {
    const { lengthKm, attenuationDbPerKm, rateBitsPerSecond, storeBits, initialBits } = options;
    this.rateBitsPerSecond = rateBitsPerSecond ?? secretKeyRate(lengthKm, attenuationDbPerKm);
    this.storeBits = storeBits ?? 1 << 22;
    this.#blockBits = options.blockBits ?? Math.max(256, Math.round(this.rateBitsPerSecond / 4));
    this.#blockMs = (1_000 * this.#blockBits) / this.rateBitsPerSecond;
    this.#bits = Math.min(this.storeBits, initialBits ?? this.storeBits);
    this.#seed = hash(options.seed);
    this.#startMs = options.startMs;
  }

  /** QBER of the last block. */
  get errorRate(): number {
    return this.#errorRate;
  }

  storedBits(nowMs: number): number {
    this.#advance(nowMs);
    return this.#bits;
  }

  /** Takes bits out of the store; false, and nothing taken, where it holds too few. */
  take(bits: number, nowMs: number): boolean {
    this.#advance(nowMs);
    if (this.#bits < bits) return false;
    this.#bits -= bits;
    return true;
  }

  empty(nowMs: number): void {
    this.#advance(nowMs);
    this.#bits = 0;
  }

  /** From now on every block has this error rate; undefined: calm again. */
  disturb(errorRate: number | undefined, nowMs: number): void {
    this.#advance(nowMs);
    this.#disturbance = errorRate;
    if (errorRate !== undefined) this.#errorRate = errorRate;
  }

  #advance(nowMs: number): void {
    const due = Math.floor((nowMs - this.#startMs) / this.#blockMs);
    while (this.#blocks < due) {
      // A full store cannot overflow: the blocks till now leave no trace but the last error rate.
      if (this.#bits >= this.storeBits) this.#blocks = Math.max(this.#blocks, due - 1);
      this.#blocks++;
      this.#errorRate =
        this.#disturbance ?? nominalErrorRate + 0.01 * (unit(this.#seed, this.#blocks) - 0.5);
      const yielded = Math.floor(this.#blockBits * secretFraction(this.#errorRate));
      this.#bits = Math.min(this.storeBits, this.#bits + yielded);
    }
  }
}

/** Relative to the nominal error rate. */
function secretFraction(errorRate: number): number {
  const fraction = (rate: number): number => 1 - 2 * binaryEntropy(rate);
  return Math.max(0, fraction(Math.min(errorRate, 0.5)) / fraction(nominalErrorRate));
}

function binaryEntropy(p: number): number {
  if (p <= 0 || p >= 1) return 0;
  return -p * Math.log2(p) - (1 - p) * Math.log2(1 - p);
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  }
  return value;
}

/** A number in [0, 1) that depends on seed and index alone (the mixing of mulberry32). */
function unit(seed: number, index: number): number {
  let value = (seed + Math.imul(index, 0x6d2b79f5)) >>> 0;
  value = Math.imul(value ^ (value >>> 15), value | 1);
  value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
  return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
}
