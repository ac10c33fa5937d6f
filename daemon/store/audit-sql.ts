/** The statements of an audit. Everything beside a row is joined so that its absence shows. */
import type { StationName, UserName } from '../../applet-spec/names.ts';
import type { AccountName } from '../ledger/chart-of-accounts.ts';
import type { AuditedAnnouncement, CashMovement } from './audit-store.ts';
import type { SqliteDatabase } from './database.ts';
import type { StoredPayment } from './payment-rows.ts';
import type { WindowStored } from './settlement-sql.ts';
import type { ClaimSide } from './settlement-store.ts';
import type { PaymentRole, PaymentState } from './store.ts';

export type AuditSql = ReturnType<typeof prepareAudit>;

export interface PaymentWithAll extends Omit<StoredPayment, 'payment'> {
  readonly bucket: bigint;
  readonly unclaimed: bigint;
  readonly payment: Uint8Array | null;
  readonly certificate_hash: Uint8Array | null;
  readonly bill: string | null;
  readonly listed: bigint;
  readonly outbox_kept: bigint;
  readonly holds_secret: bigint;
  readonly claimed: bigint;
  readonly restored: bigint;
}

export interface ClaimWithPayment {
  readonly number: bigint;
  readonly redemption_id: Uint8Array;
  readonly side: ClaimSide;
  readonly peer: StationName;
  readonly sequence: bigint;
  readonly amount: bigint;
  readonly payment_id: Uint8Array | null;
  readonly role: PaymentRole | null;
  readonly state: PaymentState | null;
  readonly issuer: StationName | null;
  readonly content: Uint8Array | null;
}

const payments = `SELECT p.*, b.payment, b.admission, b.certificate_hash, b.bill,
    v.receipt, v.refusal,
    EXISTS (SELECT 1 FROM payment_bucket k WHERE k.bucket = p.bucket) AS listed,
    p.outbox_row IS NOT NULL AND EXISTS (SELECT 1 FROM outbox o WHERE o.row_id = p.outbox_row
      AND o.payment_id = p.payment_id AND o.peer = p.next AND o.rank = 1) AS outbox_kept,
    EXISTS (SELECT 1 FROM held_secret h WHERE h.number = p.number) AS holds_secret,
    EXISTS (SELECT 1 FROM claim c
      WHERE c.payment = p.number AND c.side = 'ours' AND c.peer = p.issuer) AS claimed,
    EXISTS (SELECT 1 FROM restored_payment r WHERE r.number = p.number) AS restored
  FROM payment p LEFT JOIN payment_body b ON b.number = p.number
  LEFT JOIN payment_verdict v ON v.number = p.number`;

interface MovementRow {
  readonly reference: string;
  readonly user: UserName;
  readonly amount: bigint;
}

interface EvidenceRow {
  readonly number: bigint;
  readonly payment_id: Uint8Array;
  readonly digest: Uint8Array;
  readonly bytes: Uint8Array;
}

export function prepareAudit(database: SqliteDatabase) {
  return {
    movements: database.prepare<[CashMovement['kind'], number], MovementRow>(
      'SELECT reference, user, amount FROM cash_movement WHERE kind = ? ORDER BY reference LIMIT ?',
    ),
    movementsBehind: database.prepare<[CashMovement['kind'], string, number], MovementRow>(
      `SELECT reference, user, amount FROM cash_movement WHERE kind = ? AND reference > ?
       ORDER BY reference LIMIT ?`,
    ),
    evidence: database.prepare<[bigint, number], EvidenceRow>(
      `SELECT number, payment_id, digest, bytes FROM evidence
       WHERE number > ? ORDER BY number LIMIT ?`,
    ),
    payments: database.prepare<[bigint, number], PaymentWithAll>(
      `${payments} WHERE p.number > ? ORDER BY p.number LIMIT ?`,
    ),
    payment: database.prepare<[bigint], PaymentWithAll>(`${payments} WHERE p.number = ?`),
    claims: database.prepare<[bigint, number], ClaimWithPayment>(
      `SELECT c.number, c.redemption_id, c.side, c.peer, c.sequence, c.amount,
         p.payment_id, p.role, p.state, p.issuer, b.payment AS content
       FROM claim c LEFT JOIN payment p ON p.number = c.payment
       LEFT JOIN payment_body b ON b.number = c.payment
       WHERE c.number > ? ORDER BY c.number LIMIT ?`,
    ),
    windows: database.prepare<[string, bigint, number], WindowStored>(
      `SELECT * FROM settlement_window WHERE (peer, sequence) > (?, ?)
       ORDER BY peer, sequence LIMIT ?`,
    ),
    positions: database.prepare<[], { readonly issuer: StationName; readonly amount: bigint }>(
      'SELECT issuer, amount FROM position ORDER BY issuer',
    ),
    tombstones: database.prepare<
      [Uint8Array, number],
      { readonly payment_id: Uint8Array; readonly receipt: Uint8Array }
    >(
      'SELECT payment_id, receipt FROM tombstone WHERE payment_id >= ? ORDER BY payment_id LIMIT ?',
    ),
    announcements: database.prepare<[], AuditedAnnouncement>(
      'SELECT station, sequence, bytes FROM announcement ORDER BY station',
    ),
    accounts: database.prepare<[], { readonly name: AccountName; readonly guarded: bigint }>(
      'SELECT name, guarded FROM account ORDER BY name',
    ),
  };
}
