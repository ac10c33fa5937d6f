/**
 * Transfers that may not be booked before their time: a payer made whole before the resolution
 * deadline, or a coin expired before it had, is money given away. Fed in any order.
 */
interface Known {
  notBefore?: bigint;
  bookedMs?: number;
}

export class EarliestTimes {
  readonly #known = new Map<string, Known>();

  /** Unix seconds. */
  notBefore(reference: string, seconds: bigint): void {
    this.#of(reference).notBefore = seconds;
  }

  booked(reference: string, timeMs: number): void {
    this.#of(reference).bookedMs = timeMs;
  }

  /** What was booked too early; what has no time of its own is not this file's. */
  tooEarly(): readonly string[] {
    return [...this.#known]
      .filter(
        ([, { notBefore, bookedMs }]) =>
          notBefore !== undefined &&
          bookedMs !== undefined &&
          BigInt(Math.floor(bookedMs / 1_000)) < notBefore,
      )
      .map(([reference]) => reference);
  }

  #of(reference: string): Known {
    const known = this.#known.get(reference) ?? {};
    this.#known.set(reference, known);
    return known;
  }
}
