import type { UserName } from '../../applet-spec/names.ts';
import type { AuditStore, CashMovement } from './audit-store.ts';
import type { SqliteDatabase } from './database.ts';
import type { PaymentRows } from './payment-rows.ts';
import { bytesOf } from './row-values.ts';
import type { StoreParts } from './store-parts.ts';

/** What only an audit reads (S6). */
export class AuditRows implements AuditStore {
  readonly #database: SqliteDatabase;
  readonly #payments: PaymentRows;
  readonly #sql: ReturnType<typeof prepareAudit>;

  constructor({ database }: StoreParts, payments: PaymentRows) {
    this.#database = database;
    this.#payments = payments;
    this.#sql = prepareAudit(database);
  }

  readonly cashMovements: AuditStore['cashMovements'] = (kind, after, limit) =>
    this.#database.read(() => {
      const { movements, movementsBehind } = this.#sql;
      const rows =
        after === undefined ? movements.all(kind, limit) : movementsBehind.all(kind, after, limit);
      return rows.map((row) => ({ kind, ...row }));
    });

  readonly eachEvidence: AuditStore['eachEvidence'] = (after, limit) =>
    this.#database.read(() =>
      this.#sql.evidence.all(after, limit).map(({ number, payment_id, bytes }) => ({
        number,
        paymentId: bytesOf(payment_id),
        bytes: bytesOf(bytes),
      })),
    );

  readonly storedBills: AuditStore['storedBills'] = (paymentIds) =>
    this.#database.read(() =>
      paymentIds.map((paymentId) => {
        const number = this.#payments.find(paymentId);
        return number === undefined ? undefined : this.#payments.bill(number);
      }),
    );

  readonly strayClaims: AuditStore['strayClaims'] = () =>
    this.#database.read(() => this.#sql.stray.get() ?? { count: 0n, amount: 0n });
}

interface MovementRow {
  readonly reference: string;
  readonly user: UserName;
  readonly amount: bigint;
}

function prepareAudit(database: SqliteDatabase) {
  return {
    movements: database.prepare<[CashMovement['kind'], number], MovementRow>(
      'SELECT reference, user, amount FROM cash_movement WHERE kind = ? ORDER BY reference LIMIT ?',
    ),
    movementsBehind: database.prepare<[CashMovement['kind'], string, number], MovementRow>(
      `SELECT reference, user, amount FROM cash_movement WHERE kind = ? AND reference > ?
       ORDER BY reference LIMIT ?`,
    ),
    evidence: database.prepare<
      [bigint, number],
      { readonly number: bigint; readonly payment_id: Uint8Array; readonly bytes: Uint8Array }
    >('SELECT number, payment_id, bytes FROM evidence WHERE number > ? ORDER BY number LIMIT ?'),
    stray: database.prepare<[], { readonly count: bigint; readonly amount: bigint }>(
      `SELECT count(*) AS count, coalesce(sum(amount), 0) AS amount FROM claim c
       WHERE NOT EXISTS (SELECT 1 FROM settlement_window w
                         WHERE w.peer = c.peer AND w.sequence = c.sequence)`,
    ),
  };
}
