/**
 * The seam between a station and its neighbours. An implementation keeps one sealed WebSocket a
 * neighbour (design §5) and reconnects by itself; the relay above it owns the outbox.
 */
import type { StationName, Suite } from '../../applet-spec/names.ts';
import type { KeyBalance } from '../qkd/key-account.ts';
import type { KeyReservation, KeyStarvation } from '../qkd/reservoir.ts';
import type { WireMessage } from '../wire/wire-message.ts';

/** A message for the outbox; `secret` is the coin secret of a payment, 32 bytes. */
export interface Unprotected {
  readonly message: Uint8Array;
  readonly secret?: Uint8Array;
  /** QKD bits set apart for it by `Links.reserve`. */
  readonly keys?: KeyReservation | undefined;
}

/** A row of the outbox, as `protect` made it: sent, and sent again, byte for byte. */
export interface OutboxRecord {
  readonly rowId: bigint;
  readonly record: Uint8Array;
}

export interface InboundRecord {
  /** The sender's outbox row, to be confirmed once what follows from it is durable. */
  readonly rowId: bigint;
  readonly message: WireMessage;
  readonly secret?: Uint8Array;
}

/** A row that came and says nothing here. */
export interface FailedRow {
  readonly rowId: bigint;
  /** What its record says, without its coin secret; or the record, which does not open. */
  readonly form: 'message' | 'record';
  readonly bytes: Uint8Array;
  readonly cause: unknown;
}

export interface LinkStatus {
  readonly peer: StationName;
  readonly suite: Suite;
  readonly state: 'down' | 'connecting' | 'waiting-for-keys' | 'up';
  readonly sinceMs: number;
  /** Why it is down or waits; for the operator. */
  readonly detail?: string;
  readonly missingBits: bigint;
  /** Who lacks keys, where somebody does. */
  readonly waiting?: KeyStarvation['waiting'];
  /** How many bits are held ahead of need, as far as the device gives them. */
  readonly aheadBits: number;
  /** Where every bit is that its QKD device has handed out since the station started. */
  readonly keys: Pick<KeyBalance, 'available' | 'kept' | 'reserved' | 'held' | 'spent' | 'lost'>;
}

export interface LinkListener {
  linkUp(peer: StationName): void;
  linkDown(peer: StationName): void;
  /**
   * Records of outbox rows, at most 64, in the order they were sent; words may come before payments
   * that were sent before them.
   */
  received(peer: StationName, records: readonly InboundRecord[]): void;
  /** Rows that nobody here understands; each may be confirmed all the same. */
  notUnderstood(peer: StationName, rows: readonly FailedRow[]): void;
  /** The peer holds these rows durably. */
  confirmed(peer: StationName, rowIds: readonly bigint[]): void;
  /** A message that was told, not kept. */
  told(peer: StationName, message: WireMessage): void;
}

export interface Links {
  readonly peers: readonly StationName[];
  listen(listener: LinkListener): void;
  status(peer: StationName): LinkStatus | undefined;
  /**
   * Sets apart the QKD bits that a payment needs on this link (failure 43), in line with others;
   * undefined under a suite that needs none. What `protect` leaves of them is to be released.
   * Rejects with LinkError `aborted` on the signal.
   */
  reserve(
    peer: StationName,
    messageBytes: number,
    signal?: AbortSignal,
  ): Promise<KeyReservation | undefined>;
  /**
   * Makes outbox records: under `otp-secret` and `otp` this draws pads and one-time MAC keys,
   * records their use durably, and encrypts once. Under `aes` the record holds the secret as it is
   * and the store seals it at rest. Waits for keys; rejects with LinkError `aborted` on the signal.
   */
  protect(
    peer: StationName,
    items: readonly Unprotected[],
    signal?: AbortSignal,
  ): Promise<Uint8Array[]>;
  /**
   * An outbox record of a word for which the link had no keys in time: `send` covers it as the
   * link's suite asks once there are some, and nothing of it goes out before. The store seals it.
   */
  keep(message: Uint8Array): Uint8Array;
  /**
   * Queues rows on the present connection; dropped with it. False where there is none or it is
   * full.
   */
  send(peer: StationName, records: readonly OutboxRecord[]): boolean;
  /** Tells once. False where it could not be queued. */
  tell(peer: StationName, message: WireMessage): boolean;
  /** Confirms rows received from this peer. */
  confirm(peer: StationName, rowIds: readonly bigint[]): void;
  close(): Promise<void>;
}
