/** Books rebuilt from neighbours after records were lost (failures 37 to 39); part of `Store`. */
import type { StationName, UserName } from '../../applet-spec/names.ts';
import type { CoinState, NewPayment, PaymentRow } from './store.ts';

/** The recovery under way, or the last one. */
export interface RecoveryRow {
  readonly state: 'rebuilding' | 'done';
  /** The log as it was left. */
  readonly kept: { readonly size: bigint; readonly root: Uint8Array };
  /** Unix seconds: neighbours tell what they have from then on. */
  readonly sinceSeconds: bigint;
  readonly begunMs: number;
  readonly doneMs?: number;
  readonly peers: readonly RecoveryPeer[];
}

/** What came of the payments that a neighbour showed. */
export interface RecoveryCounts {
  readonly shown: number;
  /** Of which the books knew nothing. */
  readonly restored: number;
  /** Which had ended, of which the books knew nothing. */
  readonly verdicts: number;
  /** For nobody's signature held. */
  readonly refused: number;
  /** Which cannot be true beside what the books say; kept as evidence. */
  readonly contradictions: number;
}

export interface RecoveryPeer extends RecoveryCounts {
  readonly peer: StationName;
  readonly state: 'asking' | 'answered' | 'left-out';
  /** The peer's own number of the last record that was taken. */
  readonly cursor: bigint;
  readonly trouble?: string;
}

/** A page of a neighbour's, taken. */
export interface TakenPage {
  readonly peer: StationName;
  readonly cursor: bigint;
  readonly isLast: boolean;
  readonly counts: RecoveryCounts;
  readonly trouble?: string;
}

/** A coin of this station that the books may know nothing of. */
export interface ShownCoin {
  readonly expirySeconds: bigint;
  readonly commitment: Uint8Array;
  /** The public part, signed. */
  readonly coin: Uint8Array;
}

export interface RestoredPayment extends NewPayment {
  /** At the issuer. */
  readonly shown?: ShownCoin;
  /** When it is booked. */
  readonly nowMs: number;
}

export type RestoreOutcome =
  | { readonly outcome: 'restored' }
  | { readonly outcome: 'exists'; readonly row: PaymentRow }
  /** This coin was used for another payment. */
  | { readonly outcome: 'coin-used'; readonly by: Uint8Array }
  | { readonly outcome: 'coin-not-unspent'; readonly state: CoinState | 'unknown' }
  | { readonly outcome: 'entombed'; readonly receipt: Uint8Array };

export interface DoubtfulPayee {
  readonly payee: UserName;
  readonly payments: number;
}

/** A stored payment that went over one link, with its number in this store. */
export interface LinkRecordRow {
  readonly number: bigint;
  readonly row: PaymentRow;
}

export interface StoredDeclaration {
  readonly station: StationName;
  readonly generation: bigint;
  readonly bytes: Uint8Array;
  /** Whether its generation counts; else it is evidence alone. */
  readonly accepted: boolean;
  /** What this station had cosigned of that log before. */
  readonly held?: { readonly checkpoint: Uint8Array; readonly cosignature: Uint8Array };
}

export interface RecoveryStore {
  recovery(): Promise<RecoveryRow | undefined>;
  /** Durable before anything of it is done. `exists`: one is under way. */
  beginRecovery(begun: {
    readonly kept: RecoveryRow['kept'];
    readonly sinceSeconds: bigint;
    readonly peers: readonly StationName[];
    readonly nowMs: number;
  }): Promise<'begun' | 'exists'>;
  /** A neighbour that was not to be asked, too: its name is kept. */
  leaveOut(peer: StationName): Promise<void>;
  /**
   * Payments as they stood when the records were lost: admitted and passed on, forwarded, or held
   * without the coin secret, with everything that belongs to them. A coin of ours that the books do
   * not know gets a place in them, its value from the account of lost records.
   */
  restore(payments: readonly RestoredPayment[]): Promise<readonly RestoreOutcome[]>;
  takePage(page: TakenPage): Promise<void>;
  /**
   * Every neighbour has told: the declaration is ours, and what the last station holds undecided is
   * doubtful from now on.
   */
  finishRecovery(finished: {
    readonly declaration: Omit<StoredDeclaration, 'accepted' | 'held'>;
    readonly nowMs: number;
  }): Promise<void>;
  /** Undecided payments that only the payee's card can tell of. */
  doubtful(): Promise<readonly Uint8Array[]>;
  /** How many of them wait for whose card; in order of names. */
  doubtfulPayees(): Promise<readonly DoubtfulPayee[]>;
  /**
   * What went over the link to this neighbour, refused payments apart, by number behind `after`;
   * `next` is where the following page begins, undefined at the end.
   */
  linkRecords(
    peer: StationName,
    sinceMs: number,
    after: bigint,
    limit: number,
  ): Promise<{ readonly rows: readonly LinkRecordRow[]; readonly next: bigint | undefined }>;
  /** Rejects with StoreError `wrong-state` for a generation before one that was accepted. */
  putDeclaration(declaration: StoredDeclaration): Promise<void>;
  /** Of all stations, in the order of keeping. */
  declarations(): Promise<readonly StoredDeclaration[]>;
}
