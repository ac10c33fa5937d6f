/** Every claim against the payment that it is for, as the signed bill has it (I5). */
import { equalBytes, toHex, toLatin1 } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import { payment as paymentCodec } from '../../applet-spec/payment.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { redemptionIdOf } from '../settlement/settlement-messages.ts';
import type { AuditedClaim } from '../store/audit-store.ts';
import type { ClaimSide, ClaimTotal, SettlementWindow } from '../store/settlement-store.ts';
import type { AuditedStore } from './audit.ts';
import type { Finding, FindingCode } from './finding.ts';
import { guarded } from './row-guard.ts';

const pageRows = 500;

export interface ClaimsAuditOptions {
  readonly station: StationName;
  readonly primitives: Primitives;
  readonly store: AuditedStore;
}

/** What the claims of one window sum to, by side. */
type ClaimSums = Record<ClaimSide, { count: bigint; amount: bigint }>;

export class ClaimsAudit {
  readonly findings: Finding[] = [];
  readonly #options: ClaimsAuditOptions;
  readonly #claimed = new Set<string>();
  readonly #sums = new Map<StationName, Map<bigint, ClaimSums>>();
  #lastNumber = 0n;

  constructor(options: ClaimsAuditOptions) {
    this.#options = options;
  }

  async read(): Promise<void> {
    for (;;) {
      const page = await this.#options.store.auditedClaims(this.#lastNumber, pageRows);
      for (const claim of page) this.#read(claim);
      if (page.length < pageRows) return;
    }
  }

  get peers(): Iterable<StationName> {
    return this.#sums.keys();
  }

  /** Once a window: what is left has none. */
  takeSums({ peer, sequence }: SettlementWindow): Readonly<Record<ClaimSide, ClaimTotal>> {
    const sums = this.#sums.get(peer)?.get(sequence) ?? noSums();
    this.#sums.get(peer)?.delete(sequence);
    return sums;
  }

  /** When every window has been told. */
  finish(): readonly Finding[] {
    for (const [peer, windows] of this.#sums) {
      for (const [sequence, { ours, theirs }] of windows) {
        const count = ours.count + theirs.count;
        const words = `${count} claims of ${ours.amount + theirs.amount}`;
        const detail = `${words} are in window ${sequence}, which is not there: nobody pays them`;
        this.#find('claim-invalid', peer, detail);
      }
    }
    return this.findings;
  }

  #read(claim: AuditedClaim): void {
    const { number, peer, sequence, side, amount, payment } = claim;
    if (number !== this.#lastNumber + 1n) {
      const detail = `claims ${this.#lastNumber + 1n} to ${number - 1n} are not there`;
      this.#find('store-inconsistent', peer, detail);
    }
    this.#lastNumber = number;
    const windows = this.#sums.get(peer) ?? new Map<bigint, ClaimSums>();
    this.#sums.set(peer, windows);
    const sums = windows.get(sequence) ?? noSums();
    windows.set(sequence, sums);
    guarded(
      (finding) => this.findings.push(finding),
      {
        what: `settlement with ${peer}: claim ${toHex(claim.redemptionId)}`,
        party: this.#options.station,
        ...(payment && { paymentId: payment.paymentId }),
      },
      () => {
        sums[side].count += 1n;
        sums[side].amount += amount;
        this.#audit(claim);
      },
    );
  }

  #audit({ side, peer, amount, redemptionId, payment }: AuditedClaim): void {
    const { primitives, station } = this.#options;
    const claimant = side === 'ours' ? station : peer;
    const find = (detail: string): void => {
      const words = `claim ${toHex(redemptionId)}: ${detail}`;
      this.#find('claim-invalid', peer, words, payment?.paymentId);
    };
    if (payment === undefined) {
      find('its payment is not stored');
      return;
    }
    const { paymentId, state, issuer: stored, content } = payment;
    if (!equalBytes(redemptionId, redemptionIdOf(primitives, paymentId, claimant))) {
      find('its redemption ID is not that of its payment');
    }
    const memory = `${claimant} ${toLatin1(paymentId)}`;
    if (this.#claimed.has(memory)) {
      this.#find('claimed-twice', peer, `${claimant} claims one line twice`, paymentId);
    }
    this.#claimed.add(memory);
    if (state !== 'delivered') find(`its payment is ${state}`);
    const issuer = side === 'ours' ? peer : station;
    if (stored !== issuer) find(`its coin was issued by ${stored}, not by ${issuer}`);
    const line = billOf(content)?.find((one) => one.station === claimant);
    if (line?.fee !== amount) find(`it is for ${amount}, the bill says ${line?.fee ?? 'nothing'}`);
  }

  #find(code: FindingCode, peer: StationName, detail: string, paymentId?: Uint8Array): void {
    const party = this.#options.station;
    const words = `settlement with ${peer}: ${detail}`;
    this.findings.push({ code, detail: words, party, ...(paymentId && { paymentId }) });
  }
}

function noSums(): ClaimSums {
  return { ours: { count: 0n, amount: 0n }, theirs: { count: 0n, amount: 0n } };
}

function billOf(content: Uint8Array) {
  try {
    return paymentCodec.decode(content).quote.bill;
  } catch {
    return undefined;
  }
}
