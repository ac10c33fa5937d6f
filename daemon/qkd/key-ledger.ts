/** What QKD bits may be used for. One key serves one purpose, once. */
export type KeyPurpose = 'traffic' | 'pad' | 'mac';

/** One key's one use, as it is recorded durably before the first bit of the key is used. */
export interface KeyUse {
  /** UUID in lower case. */
  readonly keyId: string;
  /** The neighbour that shares the key: its station name. */
  readonly peer: string;
  /** send: we drew the key, and encrypt with it. receive: the peer did. */
  readonly direction: 'send' | 'receive';
  readonly purpose: KeyPurpose;
}

export type KeyUseOutcome = 'recorded' | 'already-used';

/**
 * The seam to the store. When the promise resolves, every use answered `recorded` is on disk.
 * A key ID is recorded at most once for ever, whatever its peer, direction or purpose; a second
 * time, also within one call, it is answered `already-used`. Outcomes come in the order of `uses`.
 */
export interface KeyLedger {
  recordUse(uses: readonly KeyUse[]): Promise<readonly KeyUseOutcome[]>;
}
