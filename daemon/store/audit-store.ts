/** What only an audit reads; part of `Store`. */
import type { StationName, UserName } from '../../applet-spec/names.ts';
import type { ClaimTotal } from './settlement-store.ts';

/** The operator's cash in or out, as it was asked for. */
export interface CashMovement {
  readonly kind: 'top-up' | 'pay-out';
  readonly reference: string;
  readonly user: UserName;
  readonly amount: bigint;
}

export interface Evidence {
  readonly number: bigint;
  readonly paymentId: Uint8Array;
  /** Advice, a second receipt, or a payment that contradicts a stored one, as they were sent. */
  readonly bytes: Uint8Array;
}

export interface AuditStore {
  /** Of one kind, by reference, behind `after`; without it from the first. */
  cashMovements(
    kind: CashMovement['kind'],
    after: string | undefined,
    limit: number,
  ): Promise<readonly CashMovement[]>;
  /** In the order of keeping, behind a number. */
  eachEvidence(after: bigint, limit: number): Promise<readonly Evidence[]>;
  /** The bills that the books follow at a verdict; undefined where there is no such payment. */
  storedBills(
    paymentIds: readonly Uint8Array[],
  ): Promise<
    readonly (readonly { readonly station: StationName; readonly fee: bigint }[] | undefined)[]
  >;
  /** Claims that name a window which is not there. */
  strayClaims(): Promise<ClaimTotal>;
}
