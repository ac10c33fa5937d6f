/**
 * What only an audit reads; part of `Store`. It reads the tables row by row as they are, whatever
 * points to them: nothing here rejects for what a row holds, and a row whose neighbour is missing
 * is still told.
 */
import type { StationName, UserName } from '../../applet-spec/names.ts';
import type { AccountName } from '../ledger/chart-of-accounts.ts';
import type { FeeLine } from '../ledger/postings.ts';
import type { ClaimSide, SettlementWindow } from './settlement-store.ts';
import type { CoinRecord, PaymentRole, PaymentRow, PaymentState } from './store.ts';

/** The operator's cash in or out, as it was asked for. */
export interface CashMovement {
  readonly kind: 'top-up' | 'pay-out';
  readonly reference: string;
  readonly user: UserName;
  readonly amount: bigint;
}

export interface Evidence {
  readonly number: bigint;
  readonly paymentId: Uint8Array;
  /** Advice, a second receipt, or a payment that contradicts a stored one, as they were sent. */
  readonly bytes: Uint8Array;
  /** SHA-256, by which it is kept once. */
  readonly digest: Uint8Array;
}

/** A stored payment with everything beside it. `payment` is empty where there is none. */
export interface AuditedPayment extends PaymentRow {
  /** 1, 2, 3 … in the order of storing. */
  readonly number: bigint;
  /** Whether its deadline leads to it. */
  readonly isFindable: boolean;
  /** SHA-256 of `payment`, for the leaf of its end; absent in those stored before logs. */
  readonly contentHash?: Uint8Array;
  readonly certificateHash?: Uint8Array;
  /** What the books follow at the verdict; absent where there is none or it is no bill. */
  readonly bill?: readonly FeeLine[];
  /** The number of its last change, which wallets ask behind. */
  readonly change: bigint;
  /** Its record for the next station; `lost` where one is named that is not its own. */
  readonly outbox: 'none' | 'kept' | 'lost';
  /** At the last station. */
  readonly holdsSecret: boolean;
  /** Whether one of its marks is neither 0 nor 1: what the database takes it for then varies. */
  readonly hasOddMark: boolean;
  /** Whether its fee is marked as one that no claim names; whether a claim names it. */
  readonly isUnclaimed: boolean;
  readonly isClaimed: boolean;
  /** Here because a neighbour showed it. */
  readonly isRestored: boolean;
}

/** Coins bought, given back or exchanged, as the user asked. */
export interface CoinOrder {
  readonly orderId: Uint8Array;
  readonly user: UserName;
  readonly kind: 'buy' | 'refund' | 'exchange';
  readonly state: 'open' | 'done' | 'cancelled';
  /** JSON: values and counts of a purchase; IDs of the coins given, and what is wanted for them. */
  readonly content: string;
  readonly timeMs: number;
}

export interface AuditedCoin extends CoinRecord {
  /** 1, 2, 3 … in the order of making. */
  readonly number: bigint;
  readonly holdsSecret: boolean;
  /** The order that gives or gave it back. */
  readonly retirementId?: Uint8Array;
  /** What those two orders are, where they are there. */
  readonly madeBy?: CoinOrder['kind'];
  readonly takenBy?: CoinOrder['kind'];
}

/** An exchange's new coin, until the card has retired the old ones. */
export type WaitingCoin = Omit<CoinRecord, 'owner' | 'state' | 'paymentId' | 'replaces'>;

/** A claim with the payment that it is for, if that is there. */
export interface AuditedClaim {
  /** 1, 2, 3 … in the order of recording. */
  readonly number: bigint;
  readonly redemptionId: Uint8Array;
  readonly side: ClaimSide;
  readonly peer: StationName;
  readonly sequence: bigint;
  readonly amount: bigint;
  readonly payment?: {
    readonly paymentId: Uint8Array;
    readonly role: PaymentRole;
    readonly state: PaymentState;
    readonly issuer: StationName;
    /** The stored payment; empty where there is none. */
    readonly content: Uint8Array;
  };
}

export interface AuditedAccount {
  readonly name: AccountName;
  /** Whether the database itself keeps it from being overdrawn; undefined for no such mark. */
  readonly isGuarded: boolean | undefined;
}

/** The last station's word that it will never deliver a payment that had not come. */
export interface Tombstone {
  readonly paymentId: Uint8Array;
  readonly receipt: Uint8Array;
}

/** The newest announcement of a station, under what it is found by. */
export interface AuditedAnnouncement {
  readonly station: StationName;
  readonly sequence: bigint;
  readonly bytes: Uint8Array;
}

/** Whose a card is said to be; a state that is none stands there as it is. */
export interface AuditedCard {
  readonly user: UserName;
  readonly state: string;
}

/** The list of revoked certificates in force, under the number that it is replaced by. */
export interface AuditedCrl {
  readonly number: bigint;
  readonly bytes: Uint8Array;
}

/** An announcement of this station's, and whether it stays for the bills that name it. */
export interface AuditedOwnAnnouncement {
  readonly bytes: Uint8Array;
  readonly isKept: boolean;
}

export type HeadOfPayment = Pick<PaymentRow, 'role' | 'state' | 'coinId'>;
export type HeadOfCoin = Pick<CoinRecord, 'coinId' | 'owner' | 'value' | 'state'>;

/** An order with the coins that it made, replacements of burned ones apart, and those it took. */
export interface CoinsOfOrder {
  /** By coin ID. */
  readonly made: readonly HeadOfCoin[];
  readonly taken: readonly HeadOfCoin[];
}

export interface AuditPaymentStore {
  /** Of one kind, by reference, behind `after`; without it from the first. */
  cashMovements(
    kind: CashMovement['kind'],
    after: string | undefined,
    limit: number,
  ): Promise<readonly CashMovement[]>;
  /** In the order of keeping, behind a number. */
  eachEvidence(after: bigint, limit: number): Promise<readonly Evidence[]>;
  /** In the order of storing, behind a number. */
  auditedPayments(after: bigint, limit: number): Promise<readonly AuditedPayment[]>;
  /** By ID; undefined only where there is no row. */
  auditedPaymentsById(
    paymentIds: readonly Uint8Array[],
  ): Promise<readonly (AuditedPayment | undefined)[]>;
  /** What each of them says of itself; undefined where there is no row. */
  paymentHeads(paymentIds: readonly Uint8Array[]): Promise<readonly (HeadOfPayment | undefined)[]>;
  /** The number of the last change of any payment. */
  lastChange(): Promise<bigint>;
  /** In the order of recording, behind a number. */
  auditedClaims(after: bigint, limit: number): Promise<readonly AuditedClaim[]>;
  /** By peer and sequence, behind one of them; without it from the first. */
  auditedWindows(
    after: Pick<SettlementWindow, 'peer' | 'sequence'> | undefined,
    limit: number,
  ): Promise<readonly SettlementWindow[]>;
  /** What counts towards the limit of each issuer. */
  trustedAmounts(): Promise<ReadonlyMap<StationName, bigint>>;
  accounts(): Promise<readonly AuditedAccount[]>;
  /** By payment ID, behind `after`; without it from the first. */
  tombstones(after: Uint8Array | undefined, limit: number): Promise<readonly Tombstone[]>;
  auditedAnnouncements(): Promise<readonly AuditedAnnouncement[]>;
}

/** What no money follows from, and the next step of the station does. */
export interface AuditPaperStore {
  /** By user. */
  auditedCards(): Promise<readonly AuditedCard[]>;
  auditedCrl(): Promise<AuditedCrl | undefined>;
  auditedOwnAnnouncement(name: Uint8Array): Promise<AuditedOwnAnnouncement | undefined>;
}

export interface AuditCoinStore {
  /** In the order of making, behind a number. */
  auditedCoins(after: bigint, limit: number): Promise<readonly AuditedCoin[]>;
  /** By ID, behind `after`; without it from the first. */
  coinOrders(after: Uint8Array | undefined, limit: number): Promise<readonly CoinOrder[]>;
  coinsOfOrders(orderIds: readonly Uint8Array[]): Promise<readonly CoinsOfOrder[]>;
  waitingCoins(): Promise<readonly WaitingCoin[]>;
}

export interface AuditStore extends AuditPaymentStore, AuditPaperStore, AuditCoinStore {}
