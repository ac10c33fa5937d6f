/**
 * Settlement with one peer, recomputed: its windows, their claims, and the peer's signed agreement.
 */
import { equalBytes, toHex } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import { payment as paymentCodec } from '../../applet-spec/payment.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import {
  redemptionIdOf,
  settlementWord,
  type SettlementContent,
} from '../settlement/settlement-messages.ts';
import { mirrored } from '../settlement/window-steps.ts';
import type { ClaimRow, ClaimSide, SettlementWindow } from '../store/settlement-store.ts';
import type { PaymentRow } from '../store/store.ts';
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
  readonly #claimed = new Set<string>();
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
  window(
    window: SettlementWindow,
    sums: Readonly<Record<ClaimSide, { readonly count: bigint; readonly amount: bigint }>>,
  ): void {
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
  }

  /** One claim against the payment that it is for, as the signed bill has it (I5). */
  claim(claim: ClaimRow, row: PaymentRow | undefined): void {
    const { side, paymentId, amount, redemptionId } = claim;
    const { primitives, station } = this.#context;
    const claimant = side === 'ours' ? station : this.#peer;
    const find = (detail: string): void => {
      this.#find('claim-invalid', `claim ${toHex(redemptionId)}: ${detail}`, paymentId);
    };
    if (!equalBytes(redemptionId, redemptionIdOf(primitives, paymentId, claimant))) {
      find('its redemption ID is not that of its payment');
    }
    const memory = `${side} ${toHex(paymentId)}`;
    if (this.#claimed.has(memory)) {
      this.#find('claimed-twice', `${claimant} claims one line twice`, paymentId);
    }
    this.#claimed.add(memory);
    if (row === undefined) {
      find('its payment is not stored');
      return;
    }
    if (row.state !== 'delivered') find(`its payment is ${row.state}`);
    const issuer = side === 'ours' ? this.#peer : station;
    if (row.issuer !== issuer) find(`its coin was issued by ${row.issuer}, not by ${issuer}`);
    const line = billOf(row)?.find((one) => one.station === claimant);
    if (line?.fee !== amount) find(`it is for ${amount}, the bill says ${line?.fee ?? 'nothing'}`);
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
    this.#find('agreement-invalid', detail, undefined);
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

  #find(code: FindingCode, detail: string, paymentId?: Uint8Array): void {
    const party = this.#context.station;
    const words = `settlement with ${this.#peer}: ${detail}`;
    this.findings.push({ code, detail: words, party, ...(paymentId && { paymentId }) });
  }
}

/** `recalled`: told again to books that had lost it. */
function isAboutTotals(
  content: SettlementContent,
): content is Extract<SettlementContent, { kind: 'closing' | 'closed' | 'recalled' }> {
  return content.kind === 'closing' || content.kind === 'closed' || content.kind === 'recalled';
}

function billOf(row: PaymentRow) {
  try {
    return paymentCodec.decode(row.payment).quote.bill;
  } catch {
    return undefined;
  }
}
