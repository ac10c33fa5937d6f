import { linkLimits } from './link-limits.ts';

/**
 * Rows of one neighbour whose pads were claimed, over all its connections: their repetition after a
 * reconnection cannot be opened again. Bounded; the key ledger is what makes it safe.
 */
export class RowMemory {
  readonly #rows = new Map<bigint, { readonly coverName: string; confirmed: boolean }>();

  /** What is known of this row under this cover. */
  seen(rowId: bigint, coverName: string): 'confirmed' | 'opened' | undefined {
    const known = this.#rows.get(rowId);
    if (known?.coverName !== coverName) return undefined;
    return known.confirmed ? 'confirmed' : 'opened';
  }

  opened(rowId: bigint, coverName: string): void {
    this.#rows.delete(rowId);
    this.#rows.set(rowId, { coverName, confirmed: false });
    if (this.#rows.size <= linkLimits.rememberedRows) return;
    const [oldest] = this.#rows.keys();
    if (oldest !== undefined) this.#rows.delete(oldest);
  }

  confirmed(rowIds: readonly bigint[]): void {
    for (const rowId of rowIds) {
      const known = this.#rows.get(rowId);
      if (known !== undefined) known.confirmed = true;
    }
  }
}
