/**
 * The windows of a pair of stations: which one a word may be about, and when both ends mean the
 * same by it. Pure. A pair has at most one window that is not agreed, so both always number alike.
 */
import type { StationName } from '../../applet-spec/names.ts';
import type { ClaimTotal, SettlementWindow } from '../store/settlement-store.ts';
import type { Totals } from './settlement-messages.ts';

type LastWindow = Pick<SettlementWindow, 'sequence' | 'state'> | undefined;

/** What the pair's last window here makes of a question about window `sequence`. */
export function windowStep(
  last: LastWindow,
  sequence: bigint,
): 'use' | 'join' | 'finish-first' | 'out-of-sequence' {
  if (last !== undefined && sequence <= last.sequence) return 'use';
  if (sequence !== (last?.sequence ?? 0n) + 1n) return 'out-of-sequence';
  if (last === undefined || last.state === 'agreed' || last.state === 'paid') return 'join';
  // The peer has our word for the window before, and we have not its answer.
  return last.state === 'closed' ? 'finish-first' : 'out-of-sequence';
}

/** What one calls its own is what the other calls theirs (I6). */
export function mirrored(
  window: Pick<SettlementWindow, 'ours' | 'theirs'>,
  peers: Pick<Totals, 'ours' | 'theirs'>,
): boolean {
  return equalTotals(window.ours, peers.theirs) && equalTotals(window.theirs, peers.ours);
}

export function isEmpty(window: Pick<SettlementWindow, 'ours' | 'theirs'>): boolean {
  return window.ours.count === 0n && window.theirs.count === 0n;
}

/** What we shall receive; below zero, what we shall pay (I7). */
export function netOf(window: Pick<SettlementWindow, 'ours' | 'theirs'>): bigint {
  return window.ours.amount - window.theirs.amount;
}

/** A window of a pair of stations in a network. */
export interface NamedWindow {
  readonly network: string;
  readonly station: StationName;
  readonly peer: StationName;
  readonly sequence: bigint;
}

/** The same words on both sides, so that two bank statements or two ledgers are soon matched. */
export function paymentReference({ network, station, peer, sequence }: NamedWindow): string {
  return `keytoll ${network} ${[station, peer].sort().join(' ')} window ${sequence}`;
}

/** Whether words that a window was paid by are those for another one. */
export function isReferenceOfAnother(window: NamedWindow, words: string): boolean {
  return /^keytoll .+ \S+ \S+ window \d+$/.test(words) && words !== paymentReference(window);
}

function equalTotals(a: ClaimTotal, b: ClaimTotal): boolean {
  return a.count === b.count && a.amount === b.amount;
}
