/**
 * What the operator is told of a run and of where the station stands: amounts in minor units, as
 * text.
 */
import { toHex } from '../../applet-spec/bytes.ts';
import type { Currency, StationName } from '../../applet-spec/names.ts';
import type { ClaimTotal, Position, SettlementWindow } from '../store/settlement-store.ts';
import type { PeerOutcome } from './settlement-asker.ts';
import { netOf } from './window-steps.ts';

export interface TotalReport {
  readonly count: string;
  readonly amount: string;
}

export interface WindowReport {
  readonly window: string;
  readonly state: SettlementWindow['state'];
  /** What this station claims of the peer. */
  readonly ours: TotalReport;
  /** What the peer claims of this station. */
  readonly theirs: TotalReport;
  /** Above zero it is received, below it is paid. */
  readonly net: string;
  readonly reference?: string;
}

export interface PeerReport {
  readonly peer: string;
  readonly claimed: TotalReport;
  readonly refused: readonly { readonly paymentId: string; readonly why: string }[];
  readonly windows: readonly WindowReport[];
  readonly problem?: string;
}

export interface SettlementReport {
  readonly station: string;
  readonly currency: string;
  readonly peers: readonly PeerReport[];
}

export function settlementReport(
  station: StationName,
  currency: Currency,
  outcomes: readonly PeerOutcome[],
): SettlementReport {
  const peers = outcomes.map(({ peer, claimed, refused, windows, problem }) => ({
    peer,
    claimed: totalReport(claimed),
    refused: refused.map(({ paymentId, why }) => ({ paymentId: toHex(paymentId), why })),
    windows: windows.map(windowReport),
    ...(problem !== undefined && { problem }),
  }));
  return { station, currency, peers };
}

export function windowReport(window: SettlementWindow): WindowReport {
  const { sequence, state, ours, theirs, paidBy } = window;
  return {
    window: `${sequence}`,
    state,
    ours: totalReport(ours),
    theirs: totalReport(theirs),
    net: `${netOf(window)}`,
    ...(paidBy !== undefined && { reference: paidBy }),
  };
}

export interface PositionReport {
  readonly peer: string;
  readonly payable: string;
  readonly receivable: string;
  readonly inFlight: string;
  readonly unclaimed: TotalReport;
  /** What `receivable` and `inFlight` are kept within. */
  readonly limit: string;
  /** Windows that are not paid yet. */
  readonly windows: readonly WindowReport[];
}

export function positionReport(
  { peer, payable, receivable, inFlight }: Position,
  unclaimed: ClaimTotal,
  windows: readonly SettlementWindow[],
  limit: bigint,
): PositionReport {
  return {
    peer,
    payable: `${payable}`,
    receivable: `${receivable}`,
    inFlight: `${inFlight}`,
    unclaimed: totalReport(unclaimed),
    limit: `${limit}`,
    windows: windows.filter(({ state }) => state !== 'paid').map(windowReport),
  };
}

function totalReport({ count, amount }: ClaimTotal): TotalReport {
  return { count: `${count}`, amount: `${amount}` };
}
