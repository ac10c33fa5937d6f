/**
 * Bounded batches (design §9): what arrives in one turn of the loop, or while the batch before it
 * is being worked on, is worked on together, at most 64 at a time. Unbounded batches make stations
 * of a route take turns instead of working side by side.
 */
export const batchMost = 64;

interface Waiting<I, O> {
  readonly item: I;
  readonly resolve: (outcome: O) => void;
  readonly reject: (fault: unknown) => void;
}

export class Batch<I, O> {
  readonly #work: (items: readonly I[]) => Promise<readonly O[]>;
  readonly #isOfOne: (fault: unknown) => boolean;
  #waiting: Waiting<I, O>[] = [];
  #running: Promise<void> | undefined;

  /**
   * `work` gives one outcome per item, in order; where it throws, every item of the batch rejects.
   * With a fault that is `isOfOne` of them each is worked on alone first, so that it is its own.
   */
  constructor(
    work: (items: readonly I[]) => Promise<readonly O[]>,
    isOfOne: (fault: unknown) => boolean = () => false,
  ) {
    this.#work = work;
    this.#isOfOne = isOfOne;
  }

  /** How many wait for a batch; for back-pressure. */
  get length(): number {
    return this.#waiting.length;
  }

  add(item: I): Promise<O> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      this.#running ??= this.#run();
    });
  }

  /** Resolves once nothing waits and nothing is under way. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    await nextTurn();
    while (this.#waiting.length > 0) {
      await this.#workOn(this.#waiting.splice(0, batchMost));
    }
    this.#running = undefined;
  }

  async #workOn(batch: readonly Waiting<I, O>[]): Promise<void> {
    try {
      const outcomes = await this.#work(batch.map((waiting) => waiting.item));
      batch.forEach(({ resolve, reject }, i) => {
        const outcome = outcomes[i];
        if (outcome === undefined) reject(new RangeError('a batch gave too few outcomes'));
        else resolve(outcome);
      });
    } catch (fault) {
      if (batch.length > 1 && this.#isOfOne(fault)) {
        for (const one of batch) await this.#workOn([one]);
      } else {
        for (const { reject } of batch) reject(fault);
      }
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
