/** Between rows and the interface: bytes, absent columns, cursors, and a bounded memory of rows. */
import { toLatin1 } from '../../applet-spec/bytes.ts';

/** A plain view: SQLite's BLOBs come as Buffers, whose `slice` shares memory. */
export function bytesOf(blob: Uint8Array): Uint8Array {
  return new Uint8Array(blob.buffer, blob.byteOffset, blob.byteLength);
}

export function bytesOrNone(blob: Uint8Array | null): Uint8Array | undefined {
  return blob === null ? undefined : bytesOf(blob);
}

/** `{ name: value }`, or nothing where the value is absent (exactOptionalPropertyTypes). */
export function present<K extends string, V>(
  name: K,
  value: V | null | undefined,
): Partial<Record<K, V>> {
  if (value === null || value === undefined) return {};
  const field: Partial<Record<K, V>> = {};
  field[name] = value;
  return field;
}

/** Where rows with recent IDs are; the oldest entry makes room. */
export class RecentRows {
  readonly #rows = new Map<string, bigint>();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  get(id: Uint8Array): bigint | undefined {
    return this.#rows.get(toLatin1(id));
  }

  set(id: Uint8Array, row: bigint): void {
    if (this.#rows.size >= this.#most) {
      const oldest = this.#rows.keys().next();
      if (oldest.done !== true) this.#rows.delete(oldest.value);
    }
    this.#rows.set(toLatin1(id), row);
  }

  clear(): void {
    this.#rows.clear();
  }
}

/** Deadlines and expiries of about an hour share a bucket; see migration 0004. */
const bucketSeconds = 4_096n;

export function bucketOf(seconds: bigint): bigint {
  return seconds / bucketSeconds;
}
