/**
 * Durable before sent (I30): rows are committed by whoever made them, sent here, and sent again
 * after every reconnection until the neighbour confirms. Sending anything twice is harmless.
 */
import type { StationName } from '../../applet-spec/names.ts';
import { Batch } from '../batch.ts';
import type { Links, OutboxRecord } from '../link/links.ts';
import type { OutboxRow, PaymentStore } from '../store/store.ts';

/** Rows of one peer on their way at once; the rest waits in the database. */
const inFlightMost = 1_024;
const readMost = 256;

interface Peer {
  readonly confirmations: Batch<readonly bigint[], true>;
  readonly inFlight: Set<bigint>;
  /** Rows whose seals do not open: the rest goes on without them. */
  damaged: ReadonlyMap<bigint, OutboxRow>;
  /** Rows are in the database that were not sent on this connection. */
  behind: boolean;
  pumping: boolean;
}

/** Told once of each row that was damaged. */
export type DamageListener = (peer: StationName, rows: readonly OutboxRow[]) => void;

export class Outbox {
  readonly #links: Links;
  readonly #store: PaymentStore;
  readonly #onFault: (error: unknown) => void;
  readonly #peers = new Map<StationName, Peer>();
  #onDamaged: DamageListener = () => undefined;

  constructor(options: {
    readonly links: Links;
    readonly store: PaymentStore;
    readonly onFault: (error: unknown) => void;
  }) {
    this.#links = options.links;
    this.#store = options.store;
    this.#onFault = options.onFault;
  }

  onDamaged(listener: DamageListener): void {
    this.#onDamaged = listener;
  }

  /** Rows that are set aside as they cannot be read, while they are there. */
  async damaged(): Promise<readonly OutboxRow[]> {
    const rows: OutboxRow[] = [];
    for (const [peer, state] of this.#peers) {
      if (state.damaged.size > 0) await this.#unsent(peer, state);
      rows.push(...state.damaged.values());
    }
    return rows;
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
    const none = { inFlight: new Set<bigint>(), damaged: new Map<bigint, OutboxRow>() };
    const state: Peer = { confirmations, ...none, behind: false, pumping: false };
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
      const { fresh, foundDamaged } = await this.#unsent(peer, state);
      if (fresh.length > 0 && !this.#links.send(peer, fresh)) return;
      for (const { rowId } of fresh) state.inFlight.add(rowId);
      // Rows committed while the store was read were left behind by `push`; look until none is new.
      if (fresh.length === 0 && !foundDamaged) state.behind = false;
    }
  }

  /** The next rows that are not on their way; others may lie behind those that are damaged. */
  async #unsent(
    peer: StationName,
    state: Peer,
  ): Promise<{ readonly fresh: readonly OutboxRecord[]; readonly foundDamaged: boolean }> {
    const known = state.damaged;
    const rows = await this.#store.outbox(peer, state.inFlight.size + known.size + readMost);
    const damaged = rows.filter(({ record }) => record === undefined);
    const found = damaged.filter(({ rowId }) => !known.has(rowId));
    state.damaged = new Map(damaged.map((row) => [row.rowId, row]));
    if (found.length > 0) this.#onDamaged(peer, found);
    const fresh = rows.flatMap(({ rowId, record }) =>
      record === undefined || state.inFlight.has(rowId) ? [] : [{ rowId, record }],
    );
    return { fresh, foundDamaged: found.length > 0 };
  }
}
