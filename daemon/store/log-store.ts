/** A station's append-only log (S6); part of `Store`. Leaves are made by what they stand for. */
import type { Transfer } from './book-store.ts';
import type { PaymentRow } from './store.ts';

/** A leaf, and everything stored that its hash must follow from. */
export interface StoredLeaf {
  /** From 1 on, in the order of making. */
  readonly number: bigint;
  readonly hash: Uint8Array;
  /** The transfers that it names, as far as they are there. */
  readonly transfers: readonly Transfer[];
  readonly firstTransfer?: bigint;
  readonly lastTransfer?: bigint;
  /** Whether it names a payment that ended, and that payment, if it is there. */
  readonly endsPayment: boolean;
  readonly payment?: PaymentRow;
}

export interface StoredTile {
  /** 1 over 256 leaves, 2 over 256 of those, and so on. */
  readonly level: number;
  /** From 1 on, in each level. */
  readonly number: bigint;
  readonly hash: Uint8Array;
}

export interface LogStore {
  /** How many leaves there are. */
  logSize(): Promise<bigint>;
  /** Root of the first `size` leaves (RFC 6962 §2.1). Rejects beyond the log. */
  logRoot(size: bigint): Promise<Uint8Array>;
  /** That the first `second` leaves begin with the first `first` (RFC 6962 §2.1.2). */
  logConsistency(first: bigint, second: bigint): Promise<readonly Uint8Array[]>;
  /** By number, behind `after`. */
  logLeaves(after: bigint, limit: number): Promise<readonly StoredLeaf[]>;
  /** Of one level, by number, behind `after`. */
  logTiles(level: number, after: bigint, limit: number): Promise<readonly StoredTile[]>;
}
