/**
 * How far this station trusts the issuers whose coins it carries: each will owe it fees, from when
 * a payment is held until they are paid, and no more than a limit (I8). The store keeps that limit;
 * this spares keys and coins where it is known beforehand.
 */
import type { StationName } from '../../applet-spec/names.ts';
import type { SettlementStore } from '../store/settlement-store.ts';

/** In minor units. */
export interface PositionLimits {
  readonly limit: bigint;
  /** Of issuers that are trusted more or less than others. */
  readonly peers: ReadonlyMap<StationName, bigint>;
}

/** Some hours of a busy road, at fees of a few minor units. */
export const defaultPositionLimit = 10_000_000n;

export class Positions {
  readonly #store: Pick<SettlementStore, 'position'>;
  readonly #limits: PositionLimits;
  /** Issuers for whom the store has refused since it was last asked. */
  readonly #full = new Set<StationName>();

  constructor(store: Pick<SettlementStore, 'position'>, limits: PositionLimits) {
    this.#store = store;
    this.#limits = limits;
  }

  limitOf(issuer: StationName): bigint {
    return this.#limits.peers.get(issuer) ?? this.#limits.limit;
  }

  /** Whether this issuer may owe so much more. */
  async trusts(issuer: StationName, fee: bigint): Promise<boolean> {
    const isTrusted = (await this.#store.position(issuer)) + fee <= this.limitOf(issuer);
    if (isTrusted) this.#full.delete(issuer);
    return isTrusted || fee === 0n;
  }

  /** The store refused it for this issuer: until it is trusted again, ask before drawing keys. */
  reached(issuer: StationName): void {
    this.#full.add(issuer);
  }

  /** Costs nothing while the store refuses nothing. */
  isReached(issuer: StationName): boolean {
    return this.#full.has(issuer);
  }
}
