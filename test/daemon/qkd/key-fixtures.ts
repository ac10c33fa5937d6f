import type { KeyBalance } from '../../../daemon/qkd/key-account.ts';
import type { KeyLedger, KeyUse, KeyUseOutcome } from '../../../daemon/qkd/key-ledger.ts';
import type { KeySource, KeySourceStatus, QkdKey } from '../../../daemon/qkd/key-source.ts';
import { QkdError } from '../../../daemon/qkd/qkd-error.ts';
import { seededEntropy } from '../../../emulator/entropy.ts';
import { newKeyId } from '../../../emulator/qkd/key-network.ts';

/** Lets everything run that waits for nothing but its turn. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}

export function balanced(balance: KeyBalance): boolean {
  const { received, available, reserved, held, spent, lost } = balance;
  return received === available + reserved + held + spent + lost;
}

/** A ledger that survives what uses it: what a station's database is to its restarts. */
export class MemoryLedger implements KeyLedger {
  readonly calls: (readonly KeyUse[])[] = [];
  readonly used = new Map<string, KeyUse>();
  #failure: Error | undefined;

  failNext(error: Error): void {
    this.#failure = error;
  }

  async recordUse(uses: readonly KeyUse[]): Promise<readonly KeyUseOutcome[]> {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
    this.calls.push(uses);
    return uses.map((use) => {
      if (this.used.has(use.keyId)) return 'already-used';
      this.used.set(use.keyId, use);
      return 'recorded';
    });
  }
}

const entropy = seededEntropy('keys');

/** A device in memory with a stock of keys, and its failures. */
export class ScriptedSource implements KeySource {
  readonly drawn: QkdKey[] = [];
  readonly handedOut: Map<string, Uint8Array>;
  keysPerFetch = Number.POSITIVE_INFINITY;
  maxKeySizeBits = 1_024;
  #stock: number;
  #repeated: QkdKey[] = [];
  #loseNext = false;
  #fetchesLeft = Number.POSITIVE_INFINITY;

  constructor(stock: number, handedOut = new Map<string, Uint8Array>()) {
    this.#stock = stock;
    this.handedOut = handedOut;
  }

  /** The device at the other end. */
  peer(): ScriptedSource {
    return new ScriptedSource(0, this.handedOut);
  }

  refill(keys: number): void {
    this.#stock += keys;
  }

  /** The next draw hands out the keys of the last one again. */
  repeatLast(): void {
    this.#repeated = this.drawn.slice(-1);
  }

  loseNextAnswer(): void {
    this.#loseNext = true;
  }

  failFetchAfter(fetches: number): void {
    this.#fetchesLeft = fetches;
  }

  async status(): Promise<KeySourceStatus> {
    return {
      keySizeBits: 256,
      minKeySizeBits: 64,
      maxKeySizeBits: this.maxKeySizeBits,
      maxKeysPerRequest: 128,
      storedKeys: this.#stock,
      maxStoredKeys: 1_000,
      maxAdditionalSlaves: 0,
      sourceKmeId: undefined,
      targetKmeId: undefined,
      masterSaeId: undefined,
      slaveSaeId: undefined,
    };
  }

  async draw(count: number, sizeBits: number): Promise<readonly QkdKey[]> {
    if (this.#loseNext) {
      this.#loseNext = false;
      throw new QkdError('outcome-unknown', 'lost', { lostBits: count * sizeBits });
    }
    const repeated = this.#repeated.splice(0);
    if (repeated.length > 0) {
      for (const key of repeated) this.handedOut.set(key.id, key.bits.slice());
      return repeated.map(copy);
    }
    const number = Math.min(count, this.#stock);
    if (number === 0) throw new QkdError('exhausted', 'the device has no keys');
    this.#stock -= number;
    const keys = Array.from({ length: number }, () => ({
      id: newKeyId(entropy),
      bits: entropy.randomBytes(sizeBits / 8),
    }));
    for (const key of keys) this.handedOut.set(key.id, key.bits.slice());
    this.drawn.push(...keys.map(copy));
    return keys;
  }

  async fetch(ids: readonly string[]): Promise<readonly QkdKey[]> {
    if (this.#fetchesLeft-- === 0) throw new QkdError('unavailable', 'the device is away');
    return ids.slice(0, this.keysPerFetch).map((id) => {
      const bits = this.handedOut.get(id);
      if (bits === undefined) throw new QkdError('not-found', 'no such key', { keyIds: [id] });
      this.handedOut.delete(id);
      return { id, bits };
    });
  }

  async close(): Promise<void> {}
}

function copy(key: QkdKey): QkdKey {
  return { id: key.id, bits: key.bits.slice() };
}
