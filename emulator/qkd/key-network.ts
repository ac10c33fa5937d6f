import { toHex } from '../../applet-spec/bytes.ts';
import type { Clock } from '../../applet-spec/clock.ts';
import type { Entropy } from '../../applet-spec/primitives.ts';
import { Fibre } from './fibre.ts';
import type { FibreOptions } from './fibre.ts';

/** One key manager and the SAEs that it serves. */
export interface KmePlan {
  readonly id: string;
  readonly saes: readonly string[];
}

export interface NetworkKey {
  readonly id: string;
  readonly bits: Uint8Array;
}

/** A key at the key manager of its slaves, until they have fetched it. */
interface WaitingKey extends NetworkKey {
  readonly master: string;
  readonly slaves: Set<string>;
}

export interface KeyNetworkOptions {
  readonly kmes: readonly KmePlan[];
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Each pair of key managers has a fibre of its own. */
  readonly fibre: Omit<FibreOptions, 'startMs'>;
}

/** Keys that were not fetched are kept up to this number a key manager, then the oldest go. */
const maxWaitingKeys = 100_000;
/** So many at once: finding the oldest anew for each takes as long as for many. */
const forgottenAtOnce = 1_000;

/**
 * What the key managers have between them: a store of secret bits per pair, and the keys made from
 * them that the slaves have not fetched yet.
 */
export class KeyNetwork {
  readonly kmes: readonly KmePlan[];
  readonly #options: KeyNetworkOptions;
  readonly #fibres = new Map<string, Fibre>();
  readonly #waiting = new Map<string, Map<string, WaitingKey>>();

  constructor(options: KeyNetworkOptions) {
    this.kmes = options.kmes;
    this.#options = options;
    for (const { id } of options.kmes) this.#waiting.set(id, new Map());
  }

  kmeOf(sae: string): string | undefined {
    return this.kmes.find(({ saes }) => saes.includes(sae))?.id;
  }

  fibre(kmeA: string, kmeB: string): Fibre {
    const pair = [kmeA, kmeB].sort().join('|');
    let fibre = this.#fibres.get(pair);
    if (fibre === undefined) {
      const { fibre: options, clock } = this.#options;
      fibre = new Fibre({
        ...options,
        seed: `${options.seed}/${pair}`,
        startMs: clock.nowMs(),
      });
      this.#fibres.set(pair, fibre);
    }
    return fibre;
  }

  storedBits(kmeA: string, kmeB: string): number {
    return this.fibre(kmeA, kmeB).storedBits(this.#options.clock.nowMs());
  }

  /** Sets the error rate of all fibres; undefined: calm again. */
  disturb(errorRate: number | undefined): void {
    for (const a of this.kmes) {
      for (const b of this.kmes) {
        if (a.id < b.id) this.fibre(a.id, b.id).disturb(errorRate, this.#options.clock.nowMs());
      }
    }
  }

  /**
   * Makes keys for `master` and lays them out for `slaves`, each slave's key manager giving of its
   * store with the master's; undefined, and nothing changed, where one of the stores is too small.
   */
  draw(
    master: string,
    slaves: readonly string[],
    number: number,
    sizeBits: number,
  ): readonly NetworkKey[] | undefined {
    const { clock, entropy } = this.#options;
    const source = this.kmeOf(master);
    const targets = new Set(slaves.map((slave) => this.kmeOf(slave)));
    if (source === undefined || targets.has(undefined)) return undefined;
    const fibres = [...targets]
      .filter((target): target is string => target !== undefined && target !== source)
      .map((target) => this.fibre(source, target));
    const bits = number * sizeBits;
    const nowMs = clock.nowMs();
    if (fibres.some((fibre) => fibre.storedBits(nowMs) < bits)) return undefined;
    for (const fibre of fibres) fibre.take(bits, nowMs);
    return Array.from({ length: number }, () => {
      const key = { id: newKeyId(entropy), bits: entropy.randomBytes(sizeBits / 8) };
      this.layOut(key, master, slaves);
      return key;
    });
  }

  /** Lays a key out for its slaves. */
  layOut(key: NetworkKey, master: string, slaves: readonly string[]): void {
    for (const target of new Set(slaves.map((slave) => this.kmeOf(slave)))) {
      const waiting = target === undefined ? undefined : this.#waiting.get(target);
      if (waiting === undefined) continue;
      const here = slaves.filter((slave) => this.kmeOf(slave) === target);
      waiting.set(key.id, { ...key, master, slaves: new Set(here) });
      if (waiting.size > maxWaitingKeys) forgetOldest(waiting, forgottenAtOnce);
    }
  }

  /** Get key with key IDs: all or nothing. */
  fetch(
    kme: string,
    caller: string,
    master: string,
    ids: readonly string[],
    options: { readonly stay: boolean },
  ): readonly NetworkKey[] | 'not-found' | 'not-named' {
    const waiting = this.#waiting.get(kme);
    const found: WaitingKey[] = [];
    for (const id of new Set(ids.map((text) => text.toLowerCase()))) {
      const key = waiting?.get(id);
      if (key?.master !== master) return 'not-found';
      if (!key.slaves.has(caller)) return 'not-named';
      found.push(key);
    }
    if (options.stay) return found;
    for (const key of found) {
      key.slaves.delete(caller);
      if (key.slaves.size === 0) waiting?.delete(key.id);
    }
    return found;
  }

  /** Forgets the keys of this master that nobody has fetched. */
  discardWaiting(master: string): void {
    for (const waiting of this.#waiting.values()) {
      for (const [id, key] of waiting) if (key.master === master) waiting.delete(id);
    }
  }

  /**
   * One key manager has lost its memory: its stores with all the others, and the keys laid out
   * there.
   */
  forget(kme: string): void {
    this.#waiting.get(kme)?.clear();
    for (const other of this.kmes) {
      if (other.id !== kme) this.fibre(kme, other.id).empty(this.#options.clock.nowMs());
    }
  }
}

function forgetOldest(waiting: Map<string, WaitingKey>, count: number): void {
  let left = count;
  for (const id of waiting.keys()) {
    waiting.delete(id);
    if (--left === 0) return;
  }
}

/** UUID version 4 (RFC 9562 §5.4). */
export function newKeyId(entropy: Entropy): string {
  const bytes = entropy.randomBytes(16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = toHex(bytes);
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20)];
  return [...parts, hex.slice(20)].join('-');
}
