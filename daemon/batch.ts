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
  #waiting: Waiting<I, O>[] = [];
  #running: Promise<void> | undefined;

  /**
   * `work` gives one outcome per item, in order; where it throws, every item of the batch rejects.
   */
  constructor(work: (items: readonly I[]) => Promise<readonly O[]>) {
    this.#work = work;
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
      const batch = this.#waiting.splice(0, batchMost);
      try {
        const outcomes = await this.#work(batch.map((waiting) => waiting.item));
        batch.forEach(({ resolve, reject }, i) => {
          const outcome = outcomes[i];
          if (outcome === undefined) reject(new RangeError('a batch gave too few outcomes'));
          else resolve(outcome);
        });
      } catch (fault) {
        for (const { reject } of batch) reject(fault);
      }
    }
    this.#running = undefined;
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}
