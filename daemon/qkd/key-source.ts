/** A key from a QKD device. The bits are secret; the ID is not. */
export interface QkdKey {
  /** UUID in lower case. */
  readonly id: string;
  readonly bits: Uint8Array;
}

/** What a device says of the keys it shares with one peer. Sizes in bits; limits are at least 1. */
export interface KeySourceStatus {
  /** The size of a key when none is asked for. */
  readonly keySizeBits: number;
  readonly minKeySizeBits: number;
  readonly maxKeySizeBits: number;
  readonly maxKeysPerRequest: number;
  /** Only a hint: devices say 0, constants, or more than they can hold. undefined: not said. */
  readonly storedKeys: number | undefined;
  readonly maxStoredKeys: number | undefined;
  /** How many further slaves one request may name; 0: no multicast. */
  readonly maxAdditionalSlaves: number;
  /** As the device says them, for display: not to be relied upon. */
  readonly sourceKmeId: string | undefined;
  readonly targetKmeId: string | undefined;
  readonly masterSaeId: string | undefined;
  readonly slaveSaeId: string | undefined;
}

/**
 * The seam to a QKD device: the keys shared with ONE peer station. Keys leave the device on
 * delivery, so each call is one request and is never repeated after its answer was lost.
 * All methods throw `QkdError`.
 */
export interface KeySource {
  status(signal?: AbortSignal): Promise<KeySourceStatus>;
  /**
   * Get key (we are the master): 1 to `count` fresh keys of exactly `sizeBits` each, as many as
   * the device hands out in one request. Who needs more calls again.
   */
  draw(count: number, sizeBits: number, signal?: AbortSignal): Promise<readonly QkdKey[]>;
  /**
   * Get key with key IDs (the peer was the master): the keys of the first n of `ids`, in that
   * order, n at least 1 and as many as the device answers in one request. All or nothing for these
   * n.
   */
  fetch(ids: readonly string[], signal?: AbortSignal): Promise<readonly QkdKey[]>;
  close(): Promise<void>;
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The one form in which key IDs are kept, compared and sent; undefined for what is no UUID. */
export function normalKeyId(text: string): string | undefined {
  const id = text.toLowerCase();
  return uuid.test(id) ? id : undefined;
}
