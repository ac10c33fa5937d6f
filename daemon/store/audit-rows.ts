import { concatBytes } from '../../applet-spec/bytes.ts';
import type { AuditedClaim, AuditedPayment, AuditPaymentStore, AuditStore } from './audit-store.ts';
import { AuditCoinRows } from './audit-coin-rows.ts';
import { AuditPaperRows } from './audit-paper-rows.ts';
import {
  prepareAudit,
  type AuditSql,
  type ClaimWithPayment,
  type PaymentWithAll,
} from './audit-sql.ts';
import type { FeeLine } from '../ledger/postings.ts';
import { decodeBill, paymentRow, type PaymentRows } from './payment-rows.ts';
import { bucketOf, bytesOf, bytesOrNone, present } from './row-values.ts';
import { settlementWindow } from './settlement-rows.ts';
import type { StoreParts } from './store-parts.ts';

/** What only an audit reads (S6): payments, claims, and the operator's cash. */
export class AuditRows implements AuditPaymentStore {
  readonly #parts: StoreParts;
  readonly #payments: PaymentRows;
  readonly #sql: AuditSql;

  constructor(parts: StoreParts, payments: PaymentRows) {
    this.#parts = parts;
    this.#payments = payments;
    this.#sql = prepareAudit(parts.database);
  }

  readonly cashMovements: AuditStore['cashMovements'] = (kind, after, limit) =>
    this.#parts.database.read(() => {
      const { movements, movementsBehind } = this.#sql;
      const rows =
        after === undefined ? movements.all(kind, limit) : movementsBehind.all(kind, after, limit);
      return rows.map((row) => ({ kind, ...row }));
    });

  readonly eachEvidence: AuditStore['eachEvidence'] = (after, limit) =>
    this.#parts.database.read(() =>
      this.#sql.evidence.all(after, limit).map(({ number, payment_id, bytes, digest }) => ({
        number,
        paymentId: bytesOf(payment_id),
        bytes: bytesOf(bytes),
        digest: bytesOf(digest),
      })),
    );

  readonly auditedPayments: AuditStore['auditedPayments'] = (after, limit) =>
    this.#parts.database.read(() => this.#sql.payments.all(after, limit).map(auditedPayment));

  readonly auditedPaymentsById: AuditStore['auditedPaymentsById'] = (paymentIds) =>
    this.#parts.database.read(() =>
      paymentIds.map((paymentId) => {
        const number = this.#payments.find(paymentId);
        const row = number === undefined ? undefined : this.#sql.payment.get(number);
        return row && auditedPayment(row);
      }),
    );

  readonly paymentHeads: AuditStore['paymentHeads'] = (paymentIds) =>
    this.#parts.database.read(() =>
      paymentIds.map((paymentId) => {
        const number = this.#payments.find(paymentId);
        if (number === undefined) return undefined;
        const { role, state, coin_id: coinId } = this.#payments.head(number);
        return { role, state, coinId: bytesOf(coinId) };
      }),
    );

  readonly lastChange: AuditStore['lastChange'] = () =>
    this.#parts.database.read(() => this.#payments.lastChange);

  readonly auditedClaims: AuditStore['auditedClaims'] = (after, limit) =>
    this.#parts.database.read(() => this.#sql.claims.all(after, limit).map(auditedClaim));

  readonly auditedWindows: AuditStore['auditedWindows'] = (after, limit) =>
    this.#parts.database.read(() => {
      const { peer, sequence } = after ?? { peer: '', sequence: 0n };
      return this.#sql.windows.all(peer, sequence, limit).map(settlementWindow);
    });

  readonly trustedAmounts: AuditStore['trustedAmounts'] = () =>
    this.#parts.database.read(
      () => new Map(this.#sql.positions.all().map(({ issuer, amount }) => [issuer, amount])),
    );

  readonly tombstones: AuditStore['tombstones'] = (after, limit) =>
    this.#parts.database.read(() =>
      this.#sql.tombstones
        .all(after === undefined ? new Uint8Array(0) : nextAfter(after), limit)
        .map(({ payment_id, receipt }) => ({
          paymentId: bytesOf(payment_id),
          receipt: bytesOf(receipt),
        })),
    );

  readonly auditedAnnouncements: AuditStore['auditedAnnouncements'] = () =>
    this.#parts.database.read(() =>
      this.#sql.announcements.all().map((row) => ({ ...row, bytes: bytesOf(row.bytes) })),
    );

  readonly accounts: AuditStore['accounts'] = () =>
    this.#parts.database.read(() =>
      this.#sql.accounts.all().map(({ name, guarded }) => ({
        name,
        isGuarded: isMark(guarded) ? guarded === 1n : undefined,
      })),
    );
}

/** Everything that only an audit reads, as one part of the store. */
export function auditRows(parts: StoreParts, payments: PaymentRows): AuditStore {
  return Object.assign(
    new AuditRows(parts, payments),
    new AuditPaperRows(parts),
    new AuditCoinRows(parts),
  );
}

function auditedPayment(row: PaymentWithAll): AuditedPayment {
  const { outbox_row: outboxRow } = row;
  return {
    ...paymentRow({ ...row, payment: row.payment ?? new Uint8Array(0) }),
    number: row.number,
    isFindable: row.listed === 1n && row.bucket === bucketOf(row.delivery_deadline),
    ...present('contentHash', bytesOrNone(row.content_hash)),
    ...present('certificateHash', bytesOrNone(row.certificate_hash)),
    ...present('bill', billOrNone(row.bill)),
    change: row.change,
    outbox: outboxRow === null ? 'none' : row.outbox_kept === 1n ? 'kept' : 'lost',
    holdsSecret: row.holds_secret === 1n,
    hasOddMark: !isMark(row.unclaimed) || !isMark(row.card_concluded),
    isUnclaimed: row.unclaimed === 1n,
    isClaimed: row.claimed === 1n,
    isRestored: row.restored === 1n,
  };
}

function isMark(value: bigint): boolean {
  return value === 0n || value === 1n;
}

function billOrNone(text: string | null): readonly FeeLine[] | undefined {
  try {
    return text === null ? undefined : decodeBill(text);
  } catch {
    return undefined;
  }
}

function auditedClaim(row: ClaimWithPayment): AuditedClaim {
  const { number, side, peer, sequence, amount, payment_id: paymentId } = row;
  const claim = { number, side, peer, sequence, amount };
  const whole = { ...claim, redemptionId: bytesOf(row.redemption_id) };
  const { role, state, issuer } = row;
  if (paymentId === null || role === null || state === null || issuer === null) return whole;
  const content = bytesOrNone(row.content) ?? new Uint8Array(0);
  return { ...whole, payment: { paymentId: bytesOf(paymentId), role, state, issuer, content } };
}

/** The first bytes behind these. */
function nextAfter(bytes: Uint8Array): Uint8Array {
  return concatBytes(bytes, Uint8Array.of(0));
}
