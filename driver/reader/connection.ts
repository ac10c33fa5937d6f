/**
 * The seam between the driver and whatever carries bytes to a card. Everything above it (chaining,
 * secure messaging, the wallet) is the same for every reader.
 */

/** Why a connection is over. `detail` is for people. */
export interface ConnectionEnd {
  readonly reason: ConnectionEndReason;
  readonly detail: string;
}

export type ConnectionEndReason =
  /** `close()` was called here. */
  | 'closed'
  | 'card-removed'
  /** Another program, or the card itself, reset the card: its PIN and session state are gone. */
  | 'card-reset'
  /** The reader was unplugged. */
  | 'reader-lost'
  /** The reader's service or its child process ended. */
  | 'service-lost'
  /** The card stopped answering. */
  | 'mute'
  /** The reader or the card broke the reader's protocol. */
  | 'protocol';

/** How long an APDU the path to the card carries, status word included in the response. */
export interface ApduLimits {
  readonly commandBytes: number;
  readonly responseBytes: number;
}

/**
 * A powered card, held exclusively. The card keeps its PIN and session state for as long as the
 * connection lasts and not longer. Any fault ends the connection: there is no half-working one.
 */
export interface CardConnection {
  /** The reader's name, for messages. */
  readonly reader: string;
  /** Answer to reset, ISO/IEC 7816-3 §8; 2 to 33 bytes. */
  readonly atr: Uint8Array;
  readonly limits: ApduLimits;
  /** The transmission protocol in use where the reader says so; otherwise the ATR decides. */
  readonly protocol?: 'T=0' | 'T=1';
  /**
   * One APDU as it stands: no chaining, no GET RESPONSE, no repeat. One at a time. `running` is
   * called whenever the card says that it is still at work. Throws ReaderError: `outcome-unknown`
   * once the card may have received the command, any other code while it has not; RangeError for
   * what is shorter than a header.
   */
  transmit(command: Uint8Array, running?: () => void): Promise<Uint8Array>;
  /**
   * Where the far side of the connection does chaining and GET RESPONSE itself: a whole command in
   * either length form of up to 65,535 data bytes, and its whole response. `running` is called on
   * progress.
   */
  transmitWhole?(command: Uint8Array, running?: () => void): Promise<Uint8Array>;
  /** Powers the card off. An APDU in flight is given up as `outcome-unknown`. May be repeated. */
  close(): Promise<void>;
  /** Settles once, never rejects. */
  readonly closed: Promise<ConnectionEnd>;
}

/**
 * CLA, INS, P1 and P2 (ISO/IEC 7816-4 §5.1). Readers make of fewer bytes what they like: on a vpcd
 * wire a single one switches the power.
 */
export function requireHeader(command: Uint8Array): void {
  if (command.length < 4) throw new RangeError(`an APDU of ${command.length} bytes`);
}

export type ReaderEvent =
  | { readonly kind: 'card-inserted' }
  | { readonly kind: 'card-removed' }
  /**
   * The reader, or the service behind it, is gone; `card-inserted` follows when it is back with a
   * card.
   */
  | { readonly kind: 'reader-lost'; readonly detail: string }
  | { readonly kind: 'reader-found' };

/** A place where a card can be. */
export interface Reader {
  readonly name: string;
  /** Whether a card is there, as far as the reader knows by now. */
  readonly cardPresent: boolean;
  /** Throws ReaderError: no-card, reader-busy, mute, no-reader, service-absent, access-denied. */
  connect(): Promise<CardConnection>;
  /** Events from now on; the returned function ends them. */
  watch(listener: (event: ReaderEvent) => void): () => void;
  /**
   * Ends the connection that is open, the watching, and all that the reader runs. May be repeated.
   */
  close(): Promise<void>;
}
