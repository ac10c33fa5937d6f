/**
 * A station's durable memory, in domain words (design §9). Methods take arrays; one call is one
 * transaction. A refusal is an outcome per item; a fault rejects and nothing of the call is kept.
 * Everything is idempotent by its ID. Secrets and certificates are sealed at rest by the
 * implementation. `Uint8Array` IDs are compared by content.
 */
import type { Currency, UserName } from '../../applet-spec/names.ts';
import type { KeyLedger } from '../qkd/key-ledger.ts';
import type { AuditStore } from './audit-store.ts';
import type { BookStore, NetworkStore } from './book-store.ts';
import type { CardStore } from './card-store.ts';
import type { LogStore } from './log-store.ts';
import type { PaymentStore } from './payment-store.ts';
import type { QuarantineStore } from './quarantine-store.ts';
import type { RecoveryStore } from './recovery-store.ts';
import type { SettlementStore } from './settlement-store.ts';
import type { WitnessStore } from './witness-store.ts';

export type { BookStore, NetworkStore, QuoteRow, Transfer } from './book-store.ts';
export type { CardRecord, CardStore } from './card-store.ts';
export type {
  AcceptOutcome,
  DecideOutcome,
  Decision,
  HoldOutcome,
  NewOutboxRow,
  NewPayment,
  OutboxRow,
  PaymentRole,
  PaymentRow,
  PaymentState,
  PaymentStore,
} from './payment-store.ts';

export interface Store
  extends
    KeyLedger,
    UserStore,
    CardStore,
    CoinStore,
    PaymentStore,
    BookStore,
    NetworkStore,
    QuarantineStore,
    SettlementStore,
    LogStore,
    WitnessStore,
    RecoveryStore,
    AuditStore {
  /** How many QKD keys this station has ever used. */
  usedKeys(): Promise<number>;
  close(): Promise<void>;
}

// Users

export interface UserRecord {
  readonly user: UserName;
  /** SHA-256 of the certificate in force; absent until the card is enrolled. */
  readonly certificateHash?: Uint8Array;
  readonly balance: bigint;
  readonly currency: Currency;
}

export interface UserStore {
  addUser(user: UserName, currency: Currency): Promise<'created' | 'exists'>;
  user(user: UserName): Promise<UserRecord | undefined>;
  users(): Promise<readonly UserRecord[]>;
  /** Kept once, sealed, by hash. */
  putCertificates(certificates: readonly Uint8Array[]): Promise<readonly Uint8Array[]>;
  certificate(hash: Uint8Array): Promise<Uint8Array | undefined>;
  /** Operator's cash in: account credited, idempotent by reference. */
  topUp(
    user: UserName,
    amount: bigint,
    reference: string,
    nowMs: number,
  ): Promise<'created' | 'exists' | 'exists-with-different-amount' | 'unknown-user'>;
  /** Operator's cash out. */
  payOut(
    user: UserName,
    amount: bigint,
    reference: string,
    nowMs: number,
  ): Promise<
    'created' | 'exists' | 'exists-with-different-amount' | 'unknown-user' | 'balance-too-low'
  >;
}

// Coins

export type CoinState =
  | 'reserved'
  | 'loading'
  | 'unspent'
  | 'pending'
  | 'spent'
  | 'burned'
  | 'retiring'
  | 'refunded'
  | 'exchanged'
  | 'expired';

/** A coin that this station issued. */
export interface CoinRecord {
  readonly coinId: Uint8Array;
  readonly owner: UserName;
  readonly value: bigint;
  readonly expirySeconds: bigint;
  readonly state: CoinState;
  readonly commitment: Uint8Array;
  /** The public part, signed. */
  readonly coin: Uint8Array;
  /** The order that made it; for a burned coin's successor the first 16 bytes of the payment ID. */
  readonly orderId: Uint8Array;
  /** The payment that spends, spent or burned it. */
  readonly paymentId?: Uint8Array;
  /** For a burned coin's successor: the coin that it replaces. */
  readonly replaces?: Uint8Array;
}

export interface NewCoin extends Omit<
  CoinRecord,
  'state' | 'paymentId' | 'owner' | 'orderId' | 'replaces'
> {
  readonly secret: Uint8Array;
}

export interface CoinStore {
  /** S1: debits the account and reserves the coins. The same order ID again is the same order. */
  reserveCoins(order: {
    readonly orderId: Uint8Array;
    readonly user: UserName;
    readonly lines: readonly { readonly value: bigint; readonly count: number }[];
    readonly coins: readonly NewCoin[];
    readonly nowMs: number;
  }): Promise<'created' | 'exists' | 'order-conflict' | 'account-too-low' | 'unknown-user'>;
  coins(coinIds: readonly Uint8Array[]): Promise<readonly (CoinRecord | undefined)[]>;
  coinsOfOrder(orderId: Uint8Array): Promise<readonly CoinRecord[]>;
  /** Coins of a user in some states, by coin ID, behind `after`, at most `limit`. */
  coinsOf(
    user: UserName,
    states: readonly CoinState[],
    after: Uint8Array | undefined,
    limit: number,
  ): Promise<readonly CoinRecord[]>;
  /** The successors of burned coins, in the order asked. */
  replacements(burned: readonly Uint8Array[]): Promise<readonly (CoinRecord | undefined)[]>;
  /** Coins not used, given back or expired, whether or not the card has them yet. */
  outstanding(user: UserName): Promise<{ readonly coins: number; readonly value: bigint }>;
  /** Opens the sealed secrets; only for loading a card and for S35. */
  coinSecrets(coinIds: readonly Uint8Array[]): Promise<readonly (Uint8Array | undefined)[]>;
  /** reserved → loading before the card is told; loading → unspent once it said so under MAC. */
  markLoading(coinIds: readonly Uint8Array[]): Promise<void>;
  markLoaded(coinIds: readonly Uint8Array[]): Promise<void>;
  /**
   * unspent → retiring, for a refund or an exchange. An exchange's new coins wait with the order.
   * One that was cancelled is begun anew.
   */
  retire(order: {
    readonly orderId: Uint8Array;
    readonly user: UserName;
    readonly operation: 'refund' | 'exchange';
    readonly coinIds: readonly Uint8Array[];
    /** What an exchange asks for: under the same ID never something else. */
    readonly lines?: readonly { readonly value: bigint; readonly count: number }[];
    readonly replacements: readonly NewCoin[];
    readonly nowMs: number;
  }): Promise<'created' | 'exists' | 'order-conflict' | 'coin-not-unspent' | 'sums-differ'>;
  /**
   * The card holds them as retired: retiring → refunded | exchanged, money moved, secrets erased.
   * An exchange's new coins are from now on coins, `reserved`, of this order.
   */
  finishRetirement(orderId: Uint8Array, nowMs: number): Promise<void>;
  /** The card never retired them: retiring → unspent, replacements dropped. */
  cancelRetirement(orderId: Uint8Array): Promise<void>;
  /** Retirements begun and not finished, for the next time the card is there. */
  openRetirements(user: UserName): Promise<
    readonly {
      readonly orderId: Uint8Array;
      readonly operation: 'refund' | 'exchange';
      readonly coinIds: readonly Uint8Array[];
    }[]
  >;
  /** reserved, loading and unspent coins past their expiry → expired, value back to the account. */
  expireCoins(nowSeconds: bigint, limit: number): Promise<number>;
  /** Coins that this user's card may still hold, where they buy nothing: expired, or given back. */
  worthlessOnCard(user: UserName, limit: number): Promise<readonly Uint8Array[]>;
  /** The card holds these no more, as it said under MAC. */
  markErased(coinIds: readonly Uint8Array[]): Promise<void>;
}
