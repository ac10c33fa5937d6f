import { toUtf8 } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import { accounts } from '../ledger/chart-of-accounts.ts';
import type { PaymentRows } from './payment-rows.ts';
import { bytesOf, bytesOrNone, present } from './row-values.ts';
import {
  prepareSettlement,
  type ClaimStored,
  type SettlementSql,
  type WindowStored,
} from './settlement-sql.ts';
import type {
  ClaimOutcome,
  ClaimRow,
  ClaimSide,
  ClaimTotal,
  NewClaim,
  Position,
  SettlementStore,
  SettlementWindow,
} from './settlement-store.ts';
import { StoreError } from './store-error.ts';
import type { StoreParts } from './store-parts.ts';

/** Claims, windows and positions (S5). */
export class SettlementRows implements SettlementStore {
  readonly #parts: StoreParts;
  readonly #payments: PaymentRows;
  readonly #sql: SettlementSql;

  constructor(parts: StoreParts, payments: PaymentRows) {
    this.#parts = parts;
    this.#payments = payments;
    this.#sql = prepareSettlement(parts.database);
  }

  readonly unclaimed: SettlementStore['unclaimed'] = (issuer, limit, after) =>
    this.#parts.database.read(() => {
      const behind = after === undefined ? 0n : this.#payments.find(after);
      if (behind === undefined) throw new StoreError('unknown', 'no such payment');
      const found = this.#sql.unclaimed.all(issuer, behind, limit);
      return found.map(({ number }) => this.#payments.row(number));
    });

  readonly positions: SettlementStore['positions'] = () =>
    this.#parts.database.read(() => {
      const { ledger } = this.#parts;
      return this.#sql.peers.all().map(({ peer }): Position => ({
        peer,
        payable: ledger.credit(accounts.payable(peer)),
        receivable: -ledger.credit(accounts.receivable(peer)),
        inFlight: this.#sql.inFlight.get(peer)?.amount ?? 0n,
      }));
    });

  readonly unclaimedTotal: SettlementStore['unclaimedTotal'] = (issuer) =>
    this.#parts.database.read(
      () => this.#sql.unclaimedTotal.get(issuer) ?? { count: 0n, amount: 0n },
    );

  readonly position: SettlementStore['position'] = (issuer) =>
    this.#parts.database.read(() => this.#parts.positions.amount(issuer));

  readonly openWindow: SettlementStore['openWindow'] = (peer, nowMs) =>
    this.#parts.database.write(() => {
      const open = this.#sql.openWindow.get(peer);
      if (open !== undefined) return settlementWindow(open);
      const sequence = (this.#sql.lastWindow.get(peer)?.sequence ?? 0n) + 1n;
      this.#sql.insertWindow.run(peer, sequence, nowMs);
      const nothing = { count: 0n, amount: 0n };
      return { peer, sequence, state: 'open', ours: nothing, theirs: nothing, openedMs: nowMs };
    });

  readonly joinWindow: SettlementStore['joinWindow'] = (peer, sequence, nowMs) =>
    this.#parts.database.write(() => {
      if (this.#sql.window.get(peer, sequence) !== undefined) return 'exists';
      const last = this.#sql.lastWindow.get(peer);
      if (sequence !== (last?.sequence ?? 0n) + 1n || last?.state === 'open') {
        return 'out-of-sequence';
      }
      this.#sql.insertWindow.run(peer, sequence, nowMs);
      return 'created';
    });

  readonly window: SettlementStore['window'] = (peer, sequence) =>
    this.#parts.database.read(() => {
      const row = this.#sql.window.get(peer, sequence);
      return row && settlementWindow(row);
    });

  readonly windows: SettlementStore['windows'] = (peer, after, limit) =>
    this.#parts.database.read(() =>
      this.#sql.windows.all(peer, after, limit).map(settlementWindow),
    );

  readonly putClaims: SettlementStore['putClaims'] = (side, peer, sequence, claims) =>
    this.#parts.database.write(() => {
      const total = { count: 0n, amount: 0n };
      const outcomes = claims.map((claim) => {
        const outcome = this.#putClaim(side, peer, sequence, claim);
        if (outcome.outcome === 'created') {
          total.count += 1n;
          total.amount += claim.amount;
        }
        return outcome;
      });
      if (total.count > 0n) {
        this.#sql.addTo[side].run(total.count, total.amount, peer, sequence);
      }
      return outcomes;
    });

  readonly claims: SettlementStore['claims'] = (side, peer, sequence, after, limit) =>
    this.#parts.database.read(() => {
      const number = after === undefined ? 0n : (this.#sql.claim.get(after)?.number ?? 0n);
      return this.#sql.claims.all(peer, sequence, side, number, limit).map(claimRow);
    });

  readonly claim: SettlementStore['claim'] = (redemptionId) =>
    this.#parts.database.read(() => {
      const row = this.#sql.claim.get(redemptionId);
      return row && claimRow(row);
    });

  readonly closeWindow: SettlementStore['closeWindow'] = (peer, sequence) =>
    this.#parts.database.write(() => {
      const row = this.#sql.window.get(peer, sequence);
      if (row === undefined) return 'unknown-window';
      if (row.state !== 'open') return 'exists';
      this.#sql.close.run(peer, sequence);
      return 'closed';
    });

  readonly agreeWindow: SettlementStore['agreeWindow'] = (peer, sequence, totals, agreement) =>
    this.#parts.database.write(() => {
      const row = this.#sql.window.get(peer, sequence);
      if (row === undefined) return 'unknown-window';
      const { state, ours, theirs } = settlementWindow(row);
      if (state === 'open') return 'not-closed';
      // What the peer calls its own is what we call theirs (I6).
      if (!equalTotals(totals.ours, theirs) || !equalTotals(totals.theirs, ours)) {
        return 'totals-differ';
      }
      if (state !== 'closed') return 'exists';
      this.#sql.agree.run(agreement, peer, sequence);
      return 'agreed';
    });

  readonly payWindow: SettlementStore['payWindow'] = (peer, sequence, reference, nowMs) =>
    this.#parts.database.write(() => {
      const row = this.#sql.window.get(peer, sequence);
      if (row === undefined) return 'unknown-window';
      const { state, ours, theirs } = settlementWindow(row);
      if (state === 'paid') return 'exists';
      if (state !== 'agreed') return 'not-agreed';
      this.#sql.pay.run(reference, peer, sequence);
      const event = {
        event: 'window-paid',
        peer,
        owed: theirs.amount,
        claimed: ours.amount,
      } as const;
      this.#parts.ledger.post(event, toUtf8(`settlement ${peer} ${sequence}`), nowMs);
      this.#parts.positions.giveBack(peer, ours.amount);
      return 'paid';
    });

  #putClaim(
    side: ClaimSide,
    peer: StationName,
    sequence: bigint,
    { redemptionId, paymentId, amount }: NewClaim,
  ): ClaimOutcome {
    const number = this.#payments.find(paymentId);
    const before =
      this.#sql.claim.get(redemptionId) ??
      (number === undefined ? undefined : this.#sql.claimOfPayment.get(number, side, peer));
    if (before !== undefined) return { outcome: 'exists', claim: claimRow(before) };
    if (this.#sql.window.get(peer, sequence)?.state !== 'open') {
      return { outcome: 'window-not-open' };
    }
    if (number === undefined) return { outcome: 'unknown-payment' };
    const fee = this.#feeOwed(side, peer, number);
    if (fee === undefined) return { outcome: 'not-on-bill' };
    if (this.#payments.head(number).state !== 'delivered') return { outcome: 'not-delivered' };
    if (fee !== amount) return { outcome: 'wrong-amount' };
    this.#sql.insertClaim.run(redemptionId, side, peer, sequence, number, amount);
    if (side === 'ours') this.#sql.markClaimed.run(number);
    return { outcome: 'created' };
  }

  /**
   * The claimant's line: ours on a payment with the peer's coin, or the peer's on one with ours.
   */
  #feeOwed(side: ClaimSide, peer: StationName, number: bigint): bigint | undefined {
    const { role, issuer, fee } = this.#payments.head(number);
    if (side === 'ours') {
      return role !== 'issuer' && issuer === peer && fee > 0n ? fee : undefined;
    }
    if (role !== 'issuer' || peer === this.#parts.station) return undefined;
    const line = this.#payments.bill(number).find(({ station }) => station === peer);
    return line !== undefined && line.fee > 0n ? line.fee : undefined;
  }
}

export function settlementWindow(row: WindowStored): SettlementWindow {
  return {
    peer: row.peer,
    sequence: row.sequence,
    state: row.state,
    ours: { count: row.ours_count, amount: row.ours_amount },
    theirs: { count: row.theirs_count, amount: row.theirs_amount },
    ...present('agreement', bytesOrNone(row.agreement)),
    ...present('paidBy', row.paid_by),
    openedMs: Number(row.opened_ms),
  };
}

function claimRow(row: ClaimStored): ClaimRow {
  return {
    redemptionId: bytesOf(row.redemption_id),
    side: row.side,
    peer: row.peer,
    sequence: row.sequence,
    paymentId: bytesOf(row.payment_id),
    amount: row.amount,
  };
}

function equalTotals(a: ClaimTotal, b: ClaimTotal): boolean {
  return a.count === b.count && a.amount === b.amount;
}
