import { wipe } from '../../applet-spec/bytes.ts';
import type { KeyAccount } from './key-account.ts';
import type { KeySource, QkdKey } from './key-source.ts';
import { bitsOf, countBits } from './key-stock.ts';
import { QkdError } from './qkd-error.ts';

/**
 * A claim that names more keys than this is no honest one: 16 KiB of pad in 128-bit keys, and a
 * MAC.
 */
const maxKeysPerClaim = 1_032;
/** Keys kept from claims that failed half-way. */
const maxShelvedKeys = 2_048;

/**
 * Fetches keys by ID in as many requests as the device needs. A key leaves the device when it is
 * fetched, so those of a claim that fails half-way stay here for its repetition.
 */
export class ClaimShelf {
  readonly #source: KeySource;
  readonly #account: KeyAccount;
  readonly #keys = new Map<string, QkdKey>();
  readonly #underway = new Set<string>();

  constructor(source: KeySource, account: KeyAccount) {
    this.#source = source;
    this.#account = account;
  }

  /** The keys of `ids`, in their order; they are no longer on the shelf. Bits count as held. */
  async collect(ids: readonly string[], signal?: AbortSignal): Promise<readonly QkdKey[]> {
    if (ids.length > maxKeysPerClaim) {
      throw new QkdError('protocol', `a claim names ${String(ids.length)} keys`);
    }
    const named = new Set<string>();
    const twice = ids.filter((id) => {
      const isTwice = this.#underway.has(id) || named.has(id);
      named.add(id);
      return isTwice;
    });
    if (twice.length > 0) {
      throw new QkdError('already-used', 'a key is claimed twice at once', { keyIds: twice });
    }
    for (const id of ids) this.#underway.add(id);
    try {
      await this.#fetchMissing(ids, signal);
      return ids.map((id) => this.#takeOff(id));
    } finally {
      for (const id of ids) this.#underway.delete(id);
      this.#evict(maxShelvedKeys);
    }
  }

  /** Nobody will claim these any more: those that were fetched are lost. */
  giveUp(ids: readonly string[]): void {
    for (const id of ids) {
      const key = this.#keys.get(id);
      if (key !== undefined && !this.#underway.has(id)) this.#drop(key);
    }
  }

  close(): void {
    this.#evict(0);
  }

  async #fetchMissing(ids: readonly string[], signal?: AbortSignal): Promise<void> {
    let missing = ids.filter((id) => !this.#keys.has(id));
    while (missing.length > 0) {
      let keys: readonly QkdKey[];
      try {
        keys = await this.#source.fetch(missing, signal);
      } catch (error) {
        if (error instanceof QkdError) this.#account.receiveLost(error.lostBits);
        throw error;
      }
      this.#account.receiveHeld(countBits(keys));
      for (const key of keys) this.#keys.set(key.id, key);
      const before = missing.length;
      missing = missing.filter((id) => !this.#keys.has(id));
      if (missing.length === before) {
        throw new QkdError('protocol', 'the device answered with keys that were not asked for');
      }
    }
  }

  #takeOff(id: string): QkdKey {
    const key = this.#keys.get(id);
    if (key === undefined) throw new QkdError('aborted', 'the source was closed');
    this.#keys.delete(id);
    return key;
  }

  #evict(most: number): void {
    for (const [id, key] of this.#keys) {
      if (this.#keys.size <= most) return;
      if (most > 0 && this.#underway.has(id)) continue;
      this.#drop(key);
    }
  }

  #drop(key: QkdKey): void {
    this.#keys.delete(key.id);
    this.#account.lose(bitsOf(key));
    wipe(key.bits);
  }
}
