/**
 * Durable before sent (I30): rows are committed by whoever made them, sent here, and sent again
 * after every reconnection until the neighbour confirms. Sending anything twice is harmless.
 */
import type { Clock } from '../../applet-spec/clock.ts';
import type { StationName } from '../../applet-spec/names.ts';
import { Batch } from '../batch.ts';
import type { Links, OutboxRecord } from '../link/links.ts';
import type { OutboxRow, PaymentStore } from '../store/store.ts';
import { isLate } from './store-patience.ts';

/** Words about payments (receipts, advice) never wait behind payments (I33). */
export type Carries = OutboxRow['carries'];

const kinds: readonly Carries[] = ['word', 'payment'];
/** Rows of one peer on their way at once; the rest waits in the database. */
const inFlightMost = 1_024;
/** Payments among them: where a neighbour confirms none of them, there is room for words. */
const paymentsMost = 896;
const readMost = 256;
/** The store is read once there is so much room for what waits there. */
const roomLeast = { word: 64, payment: readMost } as const;

/** Before a store that was busy is asked again. */
const pauseMs = 5_000;

interface Peer {
  readonly confirmations: Batch<readonly bigint[], true>;
  readonly inFlight: Readonly<Record<Carries, Set<bigint>>>;
  /** Rows whose seals do not open: the rest goes on without them. */
  damaged: ReadonlyMap<bigint, OutboxRow>;
  /** Rows of these kinds are in the database that were not sent on this connection. */
  readonly behind: Set<Carries>;
  /** How often rows were left to the database. */
  left: number;
  pumping: boolean;
  isUp: boolean;
  /** Takes back that the store is asked again. */
  cancelRetry: (() => void) | undefined;
}

/** What the database holds for a peer and is not on its way. */
interface Unsent {
  readonly fresh: Readonly<Record<Carries, readonly OutboxRecord[]>>;
  /** Rows were found that are damaged; others may lie behind them. */
  readonly foundDamaged: boolean;
}

/** Told once of each row that was damaged. */
export type DamageListener = (peer: StationName, rows: readonly OutboxRow[]) => void;

export class Outbox {
  readonly #clock: Pick<Clock, 'after'>;
  readonly #links: Pick<Links, 'send'>;
  readonly #store: Pick<PaymentStore, 'outbox' | 'confirmOutbox'>;
  readonly #onFault: (error: unknown) => void;
  readonly #peers = new Map<StationName, Peer>();
  #onDamaged: DamageListener = () => undefined;

  constructor(options: {
    readonly clock: Pick<Clock, 'after'>;
    readonly links: Pick<Links, 'send'>;
    readonly store: Pick<PaymentStore, 'outbox' | 'confirmOutbox'>;
    readonly onFault: (error: unknown) => void;
  }) {
    this.#clock = options.clock;
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

  /** Rows of one kind that were committed just now. */
  push(peer: StationName, carries: Carries, records: readonly OutboxRecord[]): void {
    if (records.length === 0) return;
    const state = this.#peer(peer);
    const isNext = !state.behind.has(carries) && records.length <= roomFor(carries, state);
    if (isNext && this.#links.send(peer, records)) noteSent(state, carries, records);
    else {
      state.behind.add(carries);
      state.left++;
    }
  }

  linkUp(peer: StationName): void {
    const state = this.#peer(peer);
    state.isUp = true;
    allBehind(state);
    this.#pump(peer, state);
  }

  linkDown(peer: StationName): void {
    const state = this.#peer(peer);
    state.isUp = false;
    endRetry(state);
    allBehind(state);
  }

  confirmed(peer: StationName, rowIds: readonly bigint[]): void {
    const state = this.#peer(peer);
    for (const rowId of rowIds) for (const kind of kinds) state.inFlight[kind].delete(rowId);
    state.confirmations.add(rowIds).then(
      () => {
        this.#pump(peer, state);
      },
      (error: unknown) => {
        // They are still there: what is sent twice is confirmed twice.
        for (const kind of kinds) state.behind.add(kind);
        this.#failed(peer, state, error);
      },
    );
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
    const state: Peer = {
      confirmations,
      inFlight: { word: new Set(), payment: new Set() },
      damaged: new Map(),
      behind: new Set(),
      left: 0,
      pumping: false,
      isUp: false,
      cancelRetry: undefined,
    };
    this.#peers.set(peer, state);
    return state;
  }

  #pump(peer: StationName, state: Peer): void {
    if (state.pumping || !canGoOn(state)) return;
    state.pumping = true;
    this.#sendFromStore(peer, state)
      .catch((error: unknown) => {
        this.#failed(peer, state, error);
      })
      .finally(() => {
        state.pumping = false;
      });
  }

  /** A store that is busy makes rows late, and no more. */
  #failed(peer: StationName, state: Peer, error: unknown): void {
    this.#onFault(error);
    if (!isLate(error) || !state.isUp || state.cancelRetry !== undefined) return;
    state.cancelRetry = this.#clock.after(pauseMs, () => {
      state.cancelRetry = undefined;
      this.#pump(peer, state);
    });
  }

  async #sendFromStore(peer: StationName, state: Peer): Promise<void> {
    while (canGoOn(state)) {
      const { left } = state;
      const { fresh, foundDamaged } = await this.#unsent(peer, state);
      for (const kind of kinds) {
        const some = fresh[kind].slice(0, roomFor(kind, state));
        if (some.length > 0 && !this.#links.send(peer, some)) return;
        noteSent(state, kind, some);
      }
      // Also rows that were committed while the store was read: look until none is new.
      if (state.left !== left || foundDamaged || fresh.word.length > 0) continue;
      state.behind.delete('word');
      if (fresh.payment.length === 0) state.behind.delete('payment');
    }
  }

  /** Words come first: where none is fresh there is none. */
  async #unsent(peer: StationName, state: Peer): Promise<Unsent> {
    const { damaged: known, inFlight } = state;
    const passed = inFlight.word.size + inFlight.payment.size + known.size;
    const rows = await this.#store.outbox(peer, passed + readMost);
    const damaged = rows.filter(({ record }) => record === undefined);
    const found = damaged.filter(({ rowId }) => !known.has(rowId));
    state.damaged = new Map(damaged.map((row) => [row.rowId, row]));
    if (found.length > 0) this.#onDamaged(peer, found);
    const freshOf = (kind: Carries): OutboxRecord[] =>
      rows.flatMap(({ rowId, carries, record }) =>
        carries !== kind || record === undefined || inFlight[kind].has(rowId)
          ? []
          : [{ rowId, record }],
      );
    const fresh = { word: freshOf('word'), payment: freshOf('payment') };
    return { fresh, foundDamaged: found.length > 0 };
  }
}

function roomFor(carries: Carries, { inFlight: { word, payment } }: Peer): number {
  const room = inFlightMost - word.size - payment.size;
  return carries === 'word' ? room : Math.min(room, paymentsMost - payment.size);
}

function canGoOn(state: Peer): boolean {
  return kinds.some((kind) => state.behind.has(kind) && roomFor(kind, state) >= roomLeast[kind]);
}

function noteSent({ inFlight }: Peer, carries: Carries, records: readonly OutboxRecord[]): void {
  for (const { rowId } of records) inFlight[carries].add(rowId);
}

function endRetry(state: Peer): void {
  state.cancelRetry?.();
  state.cancelRetry = undefined;
}

/** The connection is another one, or gone: everything is sent anew. */
function allBehind({ inFlight, behind }: Peer): void {
  for (const kind of kinds) {
    inFlight[kind].clear();
    behind.add(kind);
  }
}
