/**
 * What a station keeps of settlement (S5, design §8). Two neighbours in money, not in fibre: the
 * issuer of coins and a station that carried them. Each pair has numbered windows, the same number
 * on both sides; a claim belongs to one window, and is paid with it, once.
 */
import type { StationName } from '../../applet-spec/names.ts';
import type { PaymentRow } from './store.ts';

/** open: takes claims. closed: totals stand. agreed: the peer signed the same. paid: booked. */
export type WindowState = 'open' | 'closed' | 'agreed' | 'paid';

export interface ClaimTotal {
  readonly count: bigint;
  readonly amount: bigint;
}

export interface SettlementWindow {
  readonly peer: StationName;
  /** 1, 2, 3 … per pair of stations. */
  readonly sequence: bigint;
  readonly state: WindowState;
  /** What we claim of the peer: our lines on payments with its coins. */
  readonly ours: ClaimTotal;
  /** What the peer claims of us: its lines on payments with our coins. */
  readonly theirs: ClaimTotal;
  /** The peer's signed word for the totals. */
  readonly agreement?: Uint8Array;
  /** The bank's or the operator's reference of the payment. */
  readonly paidBy?: string;
  readonly openedMs: number;
}

export type ClaimSide = 'ours' | 'theirs';

export interface ClaimRow {
  /**
   * SHA-256(label ‖ payment ID ‖ claimant): the same claim has the same ID for ever (failure 27).
   */
  readonly redemptionId: Uint8Array;
  readonly side: ClaimSide;
  readonly peer: StationName;
  readonly sequence: bigint;
  readonly paymentId: Uint8Array;
  readonly amount: bigint;
}

export type NewClaim = Pick<ClaimRow, 'redemptionId' | 'paymentId' | 'amount'>;

export type ClaimOutcome =
  | { readonly outcome: 'created' }
  /** Recorded before, perhaps in another window: answered again, paid once. */
  | { readonly outcome: 'exists'; readonly claim: ClaimRow }
  | {
      readonly outcome:
        'unknown-payment' | 'not-delivered' | 'not-on-bill' | 'wrong-amount' | 'window-not-open';
    };

/** Where we stand with one peer, in minor units. */
export interface Position {
  readonly peer: StationName;
  /** We owe it for delivered payments not yet settled. */
  readonly payable: bigint;
  /** It owes us. */
  readonly receivable: bigint;
  /**
   * Our lines on payments with its coins that have no verdict yet: what may still become
   * receivable.
   */
  readonly inFlight: bigint;
}

export interface SettlementStore {
  /**
   * Delivered payments of an issuer, with a fee of ours that no claim names yet, oldest first,
   * behind `after`. One whose content is gone cannot be claimed, and is the audit's to tell.
   */
  unclaimed(issuer: StationName, limit: number, after?: Uint8Array): Promise<readonly PaymentRow[]>;
  positions(): Promise<readonly Position[]>;
  /**
   * The part of `receivable` that no claim names yet. Counts every such payment, up to a day's: not
   * for a station that carries others meanwhile.
   */
  unclaimedTotal(issuer: StationName): Promise<ClaimTotal>;
  /** `receivable` and `inFlight` of this peer together: what `hold` keeps within a limit (I8). */
  position(issuer: StationName): Promise<bigint>;
  /** The pair's open window; begins the next one where there is none. */
  openWindow(peer: StationName, nowMs: number): Promise<SettlementWindow>;
  /** Begins a window that the peer has begun, if it is the next one here. */
  joinWindow(
    peer: StationName,
    sequence: bigint,
    nowMs: number,
  ): Promise<'created' | 'exists' | 'out-of-sequence'>;
  window(peer: StationName, sequence: bigint): Promise<SettlementWindow | undefined>;
  windows(peer: StationName, after: bigint, limit: number): Promise<readonly SettlementWindow[]>;
  /**
   * Claims into an open window. Ours must be for payments delivered here, with our fee; theirs for
   * payments with our coins, delivered, with the peer's line of the bill (I5).
   */
  putClaims(
    side: ClaimSide,
    peer: StationName,
    sequence: bigint,
    claims: readonly NewClaim[],
  ): Promise<readonly ClaimOutcome[]>;
  claims(
    side: ClaimSide,
    peer: StationName,
    sequence: bigint,
    after: Uint8Array | undefined,
    limit: number,
  ): Promise<readonly ClaimRow[]>;
  claim(redemptionId: Uint8Array): Promise<ClaimRow | undefined>;
  /** open → closed: its totals stand. */
  closeWindow(peer: StationName, sequence: bigint): Promise<'closed' | 'exists' | 'unknown-window'>;
  /** closed → agreed, where the peer's signed totals mirror ours; the first agreement is kept. */
  agreeWindow(
    peer: StationName,
    sequence: bigint,
    peerTotals: { readonly ours: ClaimTotal; readonly theirs: ClaimTotal },
    agreement: Uint8Array,
  ): Promise<'agreed' | 'exists' | 'totals-differ' | 'not-closed' | 'unknown-window'>;
  /** agreed → paid: payable and receivable cleared against cash, in the same transaction, once. */
  payWindow(
    peer: StationName,
    sequence: bigint,
    reference: string,
    nowMs: number,
  ): Promise<'paid' | 'exists' | 'not-agreed' | 'unknown-window'>;
}
