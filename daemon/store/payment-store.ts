/** Payments, their verdicts and the outbox; part of `Store`. */
import type { StationName, UserName } from '../../applet-spec/names.ts';
import type { Reason, Verdict } from '../../applet-spec/receipt.ts';
import type { CoinState, NewCoin } from './store.ts';

export type PaymentRole = 'issuer' | 'relay' | 'last';

/** States per role: see `daemon/relay/payment-machine.ts`. */
export type PaymentState =
  | 'admitted'
  | 'relayed'
  | 'held'
  | 'forwarded'
  | 'offered'
  | 'delivered'
  | 'undelivered'
  | 'refused';

export interface PaymentRow {
  readonly paymentId: Uint8Array;
  readonly role: PaymentRole;
  readonly state: PaymentState;
  /** Without the certificate; `certificate(hash)` has that. */
  readonly payment: Uint8Array;
  readonly admission?: Uint8Array;
  readonly receipt?: Uint8Array;
  readonly refusal?: Uint8Array;
  readonly payer: UserName;
  readonly payee: UserName;
  readonly issuer: StationName;
  readonly coinId: Uint8Array;
  readonly value: bigint;
  /** This station's line of the bill. */
  readonly fee: bigint;
  readonly quoteDigest: Uint8Array;
  readonly previous?: StationName;
  readonly next?: StationName;
  readonly deliveryDeadline: bigint;
  readonly resolutionDeadline: bigint;
  readonly storedMs: number;
  /** When this station had the verdict, or refused. */
  readonly decidedMs?: number;
  /** Issuer and last station: whether the user's card has the verdict. */
  readonly cardConcluded: boolean;
}

/** What a station stores of a payment when it first accepts it. */
export interface NewPayment extends Omit<
  PaymentRow,
  'state' | 'receipt' | 'refusal' | 'decidedMs' | 'cardConcluded'
> {
  /** Every line of the bill: what the issuer will owe. */
  readonly bill: readonly { readonly station: StationName; readonly fee: bigint }[];
  readonly payerCertificate: Uint8Array;
  /** The record for the next hop, as `Links.protect` made it; the last station has none. */
  readonly outbox?: Uint8Array;
  /** Relays and last station: the most that its issuer may come to owe, this payment included. */
  readonly positionLimit?: bigint;
  /** The last station keeps the coin secret, sealed, until it has decided. */
  readonly secret?: Uint8Array;
}

export type AcceptOutcome =
  | { readonly outcome: 'created'; readonly outboxRow?: bigint }
  /** The same payment is here already; the first stored wins. */
  | { readonly outcome: 'exists'; readonly row: PaymentRow }
  /** This coin was accepted for another payment: evidence of double spending (I13). */
  | { readonly outcome: 'coin-used'; readonly by: Uint8Array }
  /** `unknown` also where the coin is not the payer's, or not of this value. */
  | { readonly outcome: 'coin-not-unspent'; readonly state: CoinState | 'unknown' }
  /** The last station decided before the payment came: its receipt (failure 15). */
  | { readonly outcome: 'entombed'; readonly receipt: Uint8Array };

export type HoldOutcome =
  | AcceptOutcome
  /** Its issuer is not trusted with that much more: where its position stands (I8). */
  | { readonly outcome: 'position-limit'; readonly position: bigint };

export interface Decision {
  readonly paymentId: Uint8Array;
  readonly verdict: Verdict;
  readonly reason?: Reason;
  readonly receipt: Uint8Array;
  /** The receipt's record, from `Links.protect`, for the station that it goes on to, if any. */
  readonly outbox?: { readonly peer: StationName; readonly record: Uint8Array };
  /** At the issuer, for an undelivered payment: the coin that replaces the burned one. */
  readonly replacement?: NewCoin;
  readonly nowMs: number;
}

export type DecideOutcome =
  | { readonly outcome: 'decided'; readonly outboxRow?: bigint }
  | { readonly outcome: 'exists'; readonly row: PaymentRow }
  | { readonly outcome: 'unknown-payment' };

/** What may be sent without new state: a verdict again, a relay's advice. */
export interface NewOutboxRow {
  readonly peer: StationName;
  readonly paymentId: Uint8Array;
  readonly record: Uint8Array;
}

export interface OutboxRow extends Omit<NewOutboxRow, 'record'> {
  readonly rowId: bigint;
  /** Words about payments (receipts, refusals) go before payments. */
  readonly carries: 'word' | 'payment';
  /** None where the row is damaged: its seal does not open. */
  readonly record?: Uint8Array;
}

export interface PaymentStore {
  /** Q1, S34–S36: coin unspent → pending, payment, ledger and outbox row in one transaction. */
  admit(payments: readonly NewPayment[]): Promise<readonly AcceptOutcome[]>;
  /** Q2 … Qn: the payment and its outbox row (or, at the last station, its sealed secret). */
  hold(payments: readonly NewPayment[]): Promise<readonly HoldOutcome[]>;
  /**
   * Q1 before admission: signed, sticky refusal; coin burned and replaced. Without a replacement
   * the coin is left as it is: somebody else's word must not burn it.
   */
  refuse(
    refusals: readonly {
      readonly payment: NewPayment;
      readonly refusal: Uint8Array;
      readonly replacement: NewCoin | undefined;
    }[],
  ): Promise<readonly AcceptOutcome[]>;
  /**
   * The verdict, for every role: at the last station it is the decision itself; elsewhere it was
   * learnt from a verified receipt. Ledger rows, coin state, replacement, erasure of the secret and
   * the outbox row towards the issuer go with it.
   */
  decide(decisions: readonly Decision[]): Promise<readonly DecideOutcome[]>;
  /**
   * A tombstone for a payment that never came (issuer asked): blocks any later `hold` (failure 14).
   */
  entomb(
    stones: readonly {
      readonly paymentId: Uint8Array;
      readonly receipt: Uint8Array;
      readonly deliveryDeadline?: bigint;
    }[],
  ): Promise<readonly ('created' | 'exists' | 'payment-known')[]>;
  /**
   * Q1, resolution deadline passed without a verdict: the coin is burned and replaced at the
   * station's own risk; the payment stays open and its verdict is still taken (I26).
   */
  makeWhole(
    items: readonly {
      readonly paymentId: Uint8Array;
      readonly replacement: NewCoin;
      readonly nowMs: number;
    }[],
  ): Promise<readonly ('created' | 'exists' | 'already-decided' | 'unknown-payment')[]>;
  tombstone(paymentId: Uint8Array): Promise<Uint8Array | undefined>;
  /**
   * Their delivery deadline, where it is known, spares looking through all that ever was: an ID and
   * a digest that are not here are found missing at once.
   */
  payments(
    paymentIds: readonly Uint8Array[],
    deliveryDeadline?: bigint,
  ): Promise<readonly (PaymentRow | undefined)[]>;
  paymentByQuote(
    quoteDigest: Uint8Array,
    deliveryDeadline?: bigint,
  ): Promise<PaymentRow | undefined>;
  /** The coin secret of a payment that the last station has not decided; undefined once erased. */
  heldSecret(paymentId: Uint8Array): Promise<Uint8Array | undefined>;
  /** Not decided yet, oldest deadline first; for recovery after a restart and for deadlines. */
  openPayments(
    role: PaymentRole,
    limit: number,
    after?: Pick<PaymentRow, 'deliveryDeadline' | 'paymentId'>,
  ): Promise<readonly PaymentRow[]>;
  /** A user's payments whose card has not the verdict yet. */
  unconcluded(user: UserName): Promise<readonly PaymentRow[]>;
  markConcluded(paymentIds: readonly Uint8Array[]): Promise<void>;
  /**
   * Refused payments with coins of this user that other payments had: the oldest first, and of a
   * coin that was burned none.
   */
  spentAgain(
    user: UserName,
    limit: number,
  ): Promise<readonly { readonly paymentId: Uint8Array; readonly first: Uint8Array }[]>;
  /**
   * A user's payments changed after `since` (a number of the store's own), oldest first; all where
   * that is beyond every change of this store, which has lost some then.
   */
  paymentsOf(
    user: UserName,
    since: bigint,
    limit: number,
  ): Promise<{ readonly rows: readonly PaymentRow[]; readonly next: bigint }>;
  /** As if they had changed now: they come again, behind all that `paymentsOf` has shown. */
  tellAgain(paymentIds: readonly Uint8Array[]): Promise<void>;
  /** All stored payments in the order of storing, behind the one named; for audit. */
  eachPayment(after: Uint8Array | undefined, limit: number): Promise<readonly PaymentRow[]>;
  /** Unconfirmed rows for a peer, words before payments, oldest first, behind `after`. */
  outbox(
    peer: StationName,
    limit: number,
    after?: Pick<OutboxRow, 'rowId' | 'carries'>,
  ): Promise<readonly OutboxRow[]>;
  /** Words to send, of which nothing else follows: rows for the outbox. */
  enqueue(rows: readonly NewOutboxRow[]): Promise<readonly bigint[]>;
  /** Confirmed by this peer: its rows deleted; admitted → relayed, held → forwarded. */
  confirmOutbox(peer: StationName, rowIds: readonly bigint[]): Promise<void>;
  /**
   * A relay's advice on the way back to the issuer, kept as evidence; once, however often it comes,
   * and no more of it than evidence is kept of one payment.
   */
  putAdvice(
    advice: readonly {
      readonly paymentId: Uint8Array;
      readonly refusal: Uint8Array;
      readonly outbox?: { readonly peer: StationName; readonly record: Uint8Array };
    }[],
  ): Promise<readonly (bigint | undefined)[]>;
  /** Advice, and whatever else contradicts or explains a payment, oldest first; a few of each. */
  evidence(paymentId: Uint8Array): Promise<readonly Uint8Array[]>;
  putEvidence(
    items: readonly { readonly paymentId: Uint8Array; readonly bytes: Uint8Array }[],
  ): Promise<void>;
}
