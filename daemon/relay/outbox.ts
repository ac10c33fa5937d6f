/**
 * Durable before sent (I30): rows are committed by whoever made them, sent here, and sent again
 * after every reconnection until the neighbour confirms. Sending anything twice is harmless.
 */
import type { StationName } from '../../applet-spec/names.ts';
import { Batch } from '../batch.ts';
import type { Links, OutboxRecord } from '../link/links.ts';
import type { PaymentStore } from '../store/store.ts';

/** Rows of one peer on their way at once; the rest waits in the database. */
const inFlightMost = 1_024;
const readMost = 256;

interface Peer {
  readonly confirmations: Batch<readonly bigint[], true>;
  readonly inFlight: Set<bigint>;
  /** Rows are in the database that were not sent on this connection. */
  behind: boolean;
  pumping: boolean;
}

export class Outbox {
  readonly #links: Links;
  readonly #store: PaymentStore;
  readonly #onFault: (error: unknown) => void;
  readonly #peers = new Map<StationName, Peer>();

  constructor(options: {
    readonly links: Links;
    readonly store: PaymentStore;
    readonly onFault: (error: unknown) => void;
  }) {
    this.#links = options.links;
    this.#store = options.store;
    this.#onFault = options.onFault;
  }

  /** Rows that were committed just now. */
  push(peer: StationName, records: readonly OutboxRecord[]): void {
    if (records.length === 0) return;
    const state = this.#peer(peer);
    const room = state.inFlight.size + records.length <= inFlightMost;
    if (state.behind || !room || !this.#links.send(peer, records)) {
      state.behind = true;
      return;
    }
    for (const { rowId } of records) state.inFlight.add(rowId);
  }

  linkUp(peer: StationName): void {
    const state = this.#peer(peer);
    state.inFlight.clear();
    state.behind = true;
    this.#pump(peer, state);
  }

  linkDown(peer: StationName): void {
    const state = this.#peer(peer);
    state.inFlight.clear();
    state.behind = true;
  }

  confirmed(peer: StationName, rowIds: readonly bigint[]): void {
    const state = this.#peer(peer);
    for (const rowId of rowIds) state.inFlight.delete(rowId);
    state.confirmations.add(rowIds).then(() => {
      if (state.behind) this.#pump(peer, state);
    }, this.#onFault);
  }

  async idle(): Promise<void> {
    for (const { confirmations } of this.#peers.values()) await confirmations.idle();
  }

  #peer(peer: StationName): Peer {
    const known = this.#peers.get(peer);
    if (known !== undefined) return known;
    const confirmations = new Batch<readonly bigint[], true>(async (lists) => {
      await this.#store.confirmOutbox(peer, lists.flat());
      return lists.map(() => true);
    });
    const state: Peer = { confirmations, inFlight: new Set(), behind: false, pumping: false };
    this.#peers.set(peer, state);
    return state;
  }

  #pump(peer: StationName, state: Peer): void {
    if (state.pumping) return;
    state.pumping = true;
    this.#sendFromStore(peer, state)
      .catch(this.#onFault)
      .finally(() => {
        state.pumping = false;
      });
  }

  async #sendFromStore(peer: StationName, state: Peer): Promise<void> {
    while (state.behind && state.inFlight.size + readMost <= inFlightMost) {
      const rows = await this.#store.outbox(peer, state.inFlight.size + readMost);
      const fresh = rows.filter((row) => !state.inFlight.has(row.rowId));
      if (fresh.length > 0 && !this.#links.send(peer, fresh)) return;
      for (const { rowId } of fresh) state.inFlight.add(rowId);
      // Rows committed while the store was read were left behind by `push`; look until none is new.
      if (fresh.length === 0) state.behind = false;
    }
  }
}
