/** Quotes, the ledger's books, and what the network said; part of `Store`. */
import type { StationName, UserName } from '../../applet-spec/names.ts';

// Quotes and acceptances

export interface QuoteRow {
  readonly digest: Uint8Array;
  readonly payer: UserName;
  /** The signed quote and acceptance. */
  readonly quote: Uint8Array;
  readonly acceptance: Uint8Array;
  readonly expirySeconds: bigint;
}

// Books

/** A transfer moves an amount from one account to another: debit = credit by construction. */
export interface Transfer {
  readonly number: bigint;
  readonly debit: string;
  readonly credit: string;
  readonly amount: bigint;
  readonly kind: string;
  /** Payment ID, order ID or reference that it follows from. */
  readonly reference: Uint8Array;
  readonly timeMs: number;
}

export interface BookStore {
  putQuotes(quotes: readonly QuoteRow[]): Promise<void>;
  quote(digest: Uint8Array): Promise<QuoteRow | undefined>;
  /** Before the card is told to pay this quote: from then on it may have signed (failure 1). */
  markPaying(quoteDigest: Uint8Array, payer: UserName): Promise<void>;
  /** Quotes of this payer that were marked and of which no payment is stored. */
  paying(payer: UserName): Promise<readonly Uint8Array[]>;
  /** The card has said, under MAC, that it signed nothing for this quote. */
  unmarkPaying(quoteDigest: Uint8Array): Promise<void>;
  /** Forgets quotes that expired before, but none that is marked; a paid one is in its payment. */
  dropQuotes(expiredBeforeSeconds: bigint, limit: number): Promise<number>;
  /** Sum of debits less sum of credits, by account. */
  balances(): Promise<ReadonlyMap<string, bigint>>;
  transfers(after: bigint, limit: number): Promise<readonly Transfer[]>;
}

// What the network said

/** A certificate of a station, coin or document, as the CA signed it. */
export interface StoredStationCertificate {
  readonly station: StationName;
  /** DER. */
  readonly certificate: Uint8Array;
}

/** A list of revoked certificates that payments were judged by. */
export interface KeptList {
  /** 1, 2, 3 … in the order of keeping; the CA's own number is in the list. */
  readonly number: bigint;
  /** SHA-256. */
  readonly digest: Uint8Array;
  /** From when on it was in force here. */
  readonly sinceMs: number;
  /** DER. */
  readonly bytes: Uint8Array;
}

/** What this station said of itself. */
export interface OwnAnnouncement {
  /** The first 16 bytes of its digest: what a bill line names. */
  readonly name: Uint8Array;
  readonly sequence: bigint;
  /** In Unix seconds. */
  readonly time: bigint;
  readonly bytes: Uint8Array;
}

export interface NetworkStore {
  putAnnouncement(station: StationName, sequence: bigint, bytes: Uint8Array): Promise<void>;
  announcements(): Promise<readonly Uint8Array[]>;
  putOwnAnnouncement(own: OwnAnnouncement): Promise<void>;
  ownAnnouncement(name: Uint8Array): Promise<Uint8Array | undefined>;
  /** The same for a bill that names it: from now on it is kept for ever. */
  useOwnAnnouncement(name: Uint8Array): Promise<Uint8Array | undefined>;
  /** Of those from before a time, in Unix seconds, that no bill has named; how many there were. */
  dropOwnAnnouncements(beforeSeconds: bigint, limit: number): Promise<number>;
  /** Of our announcements: above all before it, and above `after`. */
  nextSequence(after?: bigint): Promise<bigint>;
  /** Kept for ever, once. */
  putStationCertificates(certificates: readonly StoredStationCertificate[]): Promise<void>;
  stationCertificates(): Promise<readonly StoredStationCertificate[]>;
  /**
   * A list that is in force from now on. Each is kept once and for ever; an older one than the
   * newest is not taken.
   */
  putCrl(number: bigint, bytes: Uint8Array, nowMs: number): Promise<void>;
  /** The newest. */
  crl(): Promise<Uint8Array | undefined>;
  /** All that ever were, behind a number. */
  keptLists(after: bigint, limit: number): Promise<readonly KeptList[]>;
}
