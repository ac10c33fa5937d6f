/**
 * Sealed records: between host and desk, and between A and B (design §5). AES-256-GCM; the header
 * is associated data, the nonce is the header's epoch and sequence number, and each direction has
 * its own key.
 *
 *     version 01 ‖ kind ‖ epoch (4) ‖ sequence (8) ‖ ciphertext ‖ tag (16)
 */
import { bytesToUint, concatBytes, uintToBytes } from './bytes.ts';
import { GCM_TAG_BYTES, requireLength } from './primitive-input.ts';
import type { Primitives } from './primitives.ts';
import { RecordError } from './record-error.ts';
import { emptyReplayWindow, markSeen, type ReplayWindow } from './replay-window.ts';

export const RECORD_VERSION = 0x01;
export const RECORD_HEADER_BYTES = 14;
/** A quote's answer with a full CRL (400,000 bytes) fits; so does every desk message. */
export const RECORD_PLAINTEXT_BYTES_MOST = 524_288;
/**
 * Records under one key: of the longest, 2^47 blocks, which GCM hides up to an advantage of 2^-34.
 */
export const RECORD_SEQUENCE_MOST = 0xffff_ffffn;
const epochMost = 0xffff_ffffn;

/** What a record holds. Its reader names the kind it expects, so no kind passes for another. */
export const recordKinds = { desk: 0x01, peer: 0x02 } as const;
export type RecordKind = keyof typeof recordKinds;

export interface RecordHeader {
  readonly kind: RecordKind;
  /** 0 between host and desk; between peers the sender's card counts it from 1. */
  readonly epoch: bigint;
  readonly sequence: bigint;
}

export interface OpenedRecord extends RecordHeader {
  readonly plaintext: Uint8Array;
}

export interface RecordKey {
  readonly primitives: Primitives;
  /** 32 bytes, for this kind, direction and epoch alone. */
  readonly recordKey: Uint8Array;
  readonly kind: RecordKind;
  readonly epoch: bigint;
}

/** Seals with sequence numbers 0, 1, 2 …; a key must have one sealer, ever. */
export class RecordSealer {
  readonly #record: RecordKey;
  #next: bigint;

  /** `first` only continues a sealer of the same key that is gone for good. */
  constructor(record: RecordKey, first = 0n) {
    requireRecordKey(record);
    this.#record = { ...record, recordKey: new Uint8Array(record.recordKey) };
    this.#next = first;
  }

  /** Throws RecordError `record-too-long`, `record-keys-exhausted`. */
  seal(plaintext: Uint8Array): Uint8Array {
    const { primitives, recordKey, kind, epoch } = this.#record;
    if (plaintext.length > RECORD_PLAINTEXT_BYTES_MOST) {
      throw new RecordError('record-too-long', `${plaintext.length} bytes in one record`);
    }
    const sequence = this.#next;
    if (sequence > RECORD_SEQUENCE_MOST) {
      throw new RecordError(
        'record-keys-exhausted',
        'the key has sealed its last record',
        sequence,
      );
    }
    // Counted before sealing: a fault below must not let the nonce return.
    this.#next = sequence + 1n;
    const header = encodeHeader({ kind, epoch, sequence });
    return concatBytes(
      header,
      primitives.aesGcmSeal(recordKey, nonceOf(header), plaintext, header),
    );
  }
}

/**
 * Opens records of one key. `strict`: 0, 1, 2 … and nothing else (host and desk, over a WebSocket).
 * `window`: any order, each once, none older than 64 (peers, over anything). A record that is
 * refused changes nothing.
 */
export class RecordOpener {
  readonly #record: RecordKey;
  readonly #order: 'strict' | 'window';
  #window: ReplayWindow;

  constructor(record: RecordKey, order: 'strict' | 'window', window = emptyReplayWindow) {
    requireRecordKey(record);
    this.#record = { ...record, recordKey: new Uint8Array(record.recordKey) };
    this.#order = order;
    this.#window = window;
  }

  /** What to keep where openers outlive the program: without it, old records would open again. */
  get window(): ReplayWindow {
    return this.#window;
  }

  /** Throws RecordError. */
  open(bytes: Uint8Array): OpenedRecord {
    const { primitives, recordKey, kind, epoch } = this.#record;
    const header = readRecordHeader(bytes);
    const { sequence } = header;
    if (header.kind !== kind) {
      throw new RecordError('record-malformed', `a record of kind ${header.kind}`, sequence);
    }
    if (header.epoch !== epoch) {
      throw new RecordError('record-of-other-epoch', `epoch ${header.epoch}`, sequence);
    }
    const headerBytes = bytes.subarray(0, RECORD_HEADER_BYTES);
    const sealed = bytes.subarray(RECORD_HEADER_BYTES);
    const plaintext = primitives.aesGcmOpen(recordKey, nonceOf(headerBytes), sealed, headerBytes);
    if (plaintext === undefined) {
      throw new RecordError('record-forged', 'the tag does not verify', sequence);
    }
    this.#window = this.#accept(sequence);
    return { ...header, plaintext };
  }

  #accept(sequence: bigint): ReplayWindow {
    const expected = this.#window.highest + 1n;
    if (this.#order === 'strict' && sequence !== expected) {
      const code = sequence < expected ? 'record-replayed' : 'record-out-of-order';
      throw new RecordError(code, `record ${sequence} where ${expected} was due`, sequence);
    }
    const window = markSeen(this.#window, sequence);
    if (window === undefined) {
      throw new RecordError('record-replayed', `record ${sequence} again, or too late`, sequence);
    }
    return window;
  }
}

/** Unverified: to find the epoch's key. Throws RecordError `record-malformed`. */
export function readRecordHeader(bytes: Uint8Array): RecordHeader {
  const least = RECORD_HEADER_BYTES + GCM_TAG_BYTES;
  if (bytes.length < least || bytes.length > least + RECORD_PLAINTEXT_BYTES_MOST) {
    throw new RecordError('record-malformed', `${bytes.length} bytes are no sealed record`);
  }
  if (bytes[0] !== RECORD_VERSION) {
    throw new RecordError('record-malformed', `a sealed record of version ${bytes[0] ?? 'none'}`);
  }
  const kind = kindOf(bytes[1]);
  const sequence = bytesToUint(bytes.subarray(6, RECORD_HEADER_BYTES));
  if (kind === undefined || sequence > RECORD_SEQUENCE_MOST) {
    throw new RecordError('record-malformed', 'a header that nobody writes');
  }
  return { kind, epoch: bytesToUint(bytes.subarray(2, 6)), sequence };
}

function encodeHeader({ kind, epoch, sequence }: RecordHeader): Uint8Array {
  const header = new Uint8Array(RECORD_HEADER_BYTES);
  header[0] = RECORD_VERSION;
  header[1] = recordKinds[kind];
  header.set(uintToBytes(epoch, 4), 2);
  header.set(uintToBytes(sequence, 8), 6);
  return header;
}

/** Epoch and sequence number, 12 bytes: unique as long as the sealer is. */
function nonceOf(header: Uint8Array): Uint8Array {
  return header.subarray(2, RECORD_HEADER_BYTES);
}

function kindOf(byte: number | undefined): RecordKind | undefined {
  if (byte === recordKinds.desk) return 'desk';
  return byte === recordKinds.peer ? 'peer' : undefined;
}

function requireRecordKey({ recordKey, epoch }: RecordKey): void {
  requireLength(recordKey, 32, 'a record key');
  if (epoch < 0n || epoch > epochMost) throw new RangeError(`epoch ${epoch}`);
}
