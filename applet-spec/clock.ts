/** Time, injected everywhere so that tests and the simulation rule it. */
export interface Clock {
  /** Whole milliseconds since 1970-01-01T00:00:00Z. */
  nowMs(): number;
  /**
   * Calls `run` once, `ms` milliseconds from now at the earliest; the returned function cancels it.
   */
  after(ms: number, run: () => void): () => void;
}
