/**
 * Settlement with one peer, recomputed: its windows, their claims, and the peer's signed agreement.
 */
import type { StationName } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { settlementWord, type SettlementContent } from '../settlement/settlement-messages.ts';
import { isReferenceOfAnother, mirrored } from '../settlement/window-steps.ts';
import type { ClaimSide, ClaimTotal, SettlementWindow } from '../store/settlement-store.ts';
import type { Finding, FindingCode } from './finding.ts';
import type { StationKeys } from './station-keys.ts';

export interface SettlementAuditContext {
  readonly station: StationName;
  readonly network: string;
  readonly primitives: Primitives;
  readonly keys: StationKeys;
}

export class SettlementAudit {
  readonly findings: Finding[] = [];
  readonly #context: SettlementAuditContext;
  readonly #peer: StationName;
  #lastSequence = 0n;
  #unpaidOurs = 0n;

  constructor(context: SettlementAuditContext, peer: StationName) {
    this.#context = context;
    this.#peer = peer;
  }

  /** Claimed and not paid for. */
  get unpaidOurs(): bigint {
    return this.#unpaidOurs;
  }

  /** The totals that its claims sum to, by side. */
  window(window: SettlementWindow, sums: Readonly<Record<ClaimSide, ClaimTotal>>): void {
    const { sequence, state } = window;
    if (sequence !== this.#lastSequence + 1n) {
      this.#find('window-sequence', `window ${sequence} follows window ${this.#lastSequence}`);
    }
    this.#lastSequence = sequence;
    if (state !== 'paid') this.#unpaidOurs += sums.ours.amount;
    for (const side of ['ours', 'theirs'] as const) {
      const { count, amount } = window[side];
      if (count === sums[side].count && amount === sums[side].amount) continue;
      this.#find(
        'window-total-differs',
        `window ${sequence}: ${side} ${amount} in ${count}, its claims are ` +
          `${sums[side].amount} in ${sums[side].count}`,
      );
    }
    if (state === 'agreed' || state === 'paid') this.#agreement(window);
    if (state === 'paid') this.#reference(window);
  }

  /** The receivable is what was claimed and not paid, and what was not claimed yet. */
  position(receivable: bigint, unclaimed: bigint): void {
    const expected = this.#unpaidOurs + unclaimed;
    if (receivable === expected) return;
    this.#find(
      'position-differs',
      `${this.#peer} owes ${receivable} by the books; claims and unclaimed fees are ${expected}`,
    );
  }

  /** What is kept within the peer's limit is what it owes, and may yet owe (I8). */
  trust(counted: bigint, expected: bigint): void {
    if (counted === expected) return;
    this.#find(
      'position-differs',
      `${counted} count towards the limit of ${this.#peer}; it owes and may yet owe ${expected}`,
    );
  }

  #agreement(window: SettlementWindow): void {
    const { sequence, agreement } = window;
    const fault = agreement === undefined ? 'is missing' : this.#agreementFault(window, agreement);
    if (fault === undefined) return;
    const detail = `window ${sequence}: the word of ${this.#peer} ${fault}`;
    this.#find('agreement-invalid', detail);
  }

  /** The operator's words say what they like, but not that another window was paid. */
  #reference({ peer, sequence, paidBy }: SettlementWindow): void {
    const { station, network } = this.#context;
    const pair = { network, station, peer, sequence };
    if (paidBy === undefined || isReferenceOfAnother(pair, paidBy)) {
      const words = paidBy === undefined ? 'nothing' : `"${paidBy}"`;
      this.#find('reference-differs', `window ${sequence} is paid by ${words}`);
    }
  }

  #agreementFault(window: SettlementWindow, bytes: Uint8Array): string | undefined {
    const { station, network, keys } = this.#context;
    try {
      const word = settlementWord.decode(bytes);
      const { from, to, network: of, content } = word.body;
      if (from !== this.#peer || to !== station || of !== network) return 'is between others';
      if (!isAboutTotals(content)) return 'is about no totals';
      if (content.content.sequence !== window.sequence) return 'is about another window';
      if (!mirrored(window, content.content)) return 'gives other totals';
      return keys.allDocumentKeys(from).some((one) => settlementWord.verify(word, one))
        ? undefined
        : 'is not signed by it';
    } catch {
      return 'does not decode';
    }
  }

  #find(code: FindingCode, detail: string): void {
    const party = this.#context.station;
    const words = `settlement with ${this.#peer}: ${detail}`;
    this.findings.push({ code, detail: words, party });
  }
}

/** `recalled`: told again to books that had lost it. */
function isAboutTotals(
  content: SettlementContent,
): content is Extract<SettlementContent, { kind: 'closing' | 'closed' | 'recalled' }> {
  return content.kind === 'closing' || content.kind === 'closed' || content.kind === 'recalled';
}
