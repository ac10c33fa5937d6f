/**
 * What was stored and booked in one step has one time in both places. Fed in any order; what has
 * been told of both and agrees is forgotten.
 */
export class BookingTimes {
  readonly #open = new Map<string, { readonly stored?: number; readonly booked?: number }>();

  stored(reference: string, timeMs: number): void {
    this.#tell(reference, { stored: timeMs });
  }

  booked(reference: string, timeMs: number): void {
    this.#tell(reference, { booked: timeMs });
  }

  /** What is missing on one side is not this file's. */
  differing(): readonly string[] {
    return [...this.#open].flatMap(([reference, { stored, booked }]) =>
      stored !== undefined && booked !== undefined ? [reference] : [],
    );
  }

  #tell(reference: string, told: { readonly stored?: number; readonly booked?: number }): void {
    const known = { ...this.#open.get(reference), ...told };
    if (known.stored === known.booked) this.#open.delete(reference);
    else this.#open.set(reference, known);
  }
}
