import type { Statement } from './connection.ts';
import type { SqliteDatabase } from './database.ts';
import { heldPlace } from './payment-acceptance.ts';
import { paymentRow, wholePayment, type PaymentRows, type StoredPayment } from './payment-rows.ts';
import { bucketOf, bytesOf } from './row-values.ts';
import { StoreError } from './store-error.ts';
import type { StoreParts } from './store-parts.ts';
import type { PaymentStore } from './store.ts';

/** Reading payments, and the marks that carry no money. */
export class PaymentQueries implements Pick<
  PaymentStore,
  | 'payments'
  | 'paymentByQuote'
  | 'heldSecret'
  | 'openPayments'
  | 'unconcluded'
  | 'markConcluded'
  | 'paymentsOf'
  | 'tellAgain'
  | 'spentAgain'
  | 'eachPayment'
> {
  readonly #parts: StoreParts;
  readonly #payments: PaymentRows;
  readonly #sql: ReturnType<typeof prepareQueries>;

  constructor(parts: StoreParts, payments: PaymentRows) {
    this.#parts = parts;
    this.#payments = payments;
    this.#sql = prepareQueries(parts.database);
  }

  readonly payments: PaymentStore['payments'] = (paymentIds, deliveryDeadline) =>
    this.#parts.database.read(() =>
      paymentIds.map((paymentId) => {
        const number = this.#payments.find(paymentId, deliveryDeadline);
        return number === undefined ? undefined : this.#payments.row(number);
      }),
    );

  readonly spentAgain: PaymentStore['spentAgain'] = (user, limit) =>
    this.#parts.database.read(() =>
      this.#sql.spentAgain.all(user, limit).map(({ payment_id, first }) => ({
        paymentId: bytesOf(payment_id),
        first: bytesOf(first),
      })),
    );

  readonly paymentByQuote: PaymentStore['paymentByQuote'] = (quoteDigest, deliveryDeadline) =>
    this.#parts.database.read(() => {
      const found =
        deliveryDeadline === undefined
          ? this.#sql.byQuote.get(quoteDigest)
          : this.#sql.byQuoteInBucket.get(bucketOf(deliveryDeadline), quoteDigest);
      return found && this.#payments.row(found.number);
    });

  readonly heldSecret: PaymentStore['heldSecret'] = (paymentId) =>
    this.#parts.database.read(() => {
      const number = this.#payments.find(paymentId);
      const row = number === undefined ? undefined : this.#sql.secret.get(number);
      return row && this.#parts.sealer.open(heldPlace(paymentId), bytesOf(row.sealed));
    });

  readonly openPayments: PaymentStore['openPayments'] = (role, limit, after) =>
    this.#parts.database.read(() =>
      this.#sql.open
        .all(role, after?.deliveryDeadline ?? -1n, after?.paymentId ?? new Uint8Array(0), limit)
        .map(paymentRow),
    );

  readonly unconcluded: PaymentStore['unconcluded'] = (user) =>
    this.#parts.database.read(() => this.#sql.unconcluded.all(user, user).map(paymentRow));

  readonly markConcluded: PaymentStore['markConcluded'] = (paymentIds) =>
    this.#parts.database.write(() => {
      for (const paymentId of paymentIds) {
        const number = this.#payments.find(paymentId);
        if (number === undefined) throw new StoreError('unknown', 'no such payment');
        if (this.#sql.conclude.run(number).changes === 1) continue;
        if (this.#payments.row(number).decidedMs === undefined) {
          throw new StoreError('wrong-state', 'a card concludes what is decided');
        }
      }
    });

  readonly paymentsOf: PaymentStore['paymentsOf'] = (user, since, limit) =>
    this.#parts.database.read(() => {
      const from = since > this.#payments.lastChange ? 0n : since;
      const rows = [
        ...this.#sql.ofPayer.all(user, from, limit),
        ...this.#sql.ofPayee.all(user, from, limit),
      ]
        .sort((a, b) => (a.change < b.change ? -1 : 1))
        .slice(0, limit);
      return { rows: rows.map(paymentRow), next: rows.at(-1)?.change ?? from };
    });

  readonly tellAgain: PaymentStore['tellAgain'] = (paymentIds) =>
    this.#parts.database.write(() => {
      for (const paymentId of paymentIds) {
        const number = this.#payments.find(paymentId);
        if (number !== undefined) this.#payments.tellAgain(number);
      }
    });

  readonly eachPayment: PaymentStore['eachPayment'] = (after, limit) =>
    this.#parts.database.read(() => {
      const number = after === undefined ? 0n : this.#payments.find(after);
      if (number === undefined) throw new StoreError('unknown', 'no such payment');
      return this.#sql.each.all(number, limit).map(paymentRow);
    });
}

function prepareQueries(database: SqliteDatabase): {
  readonly spentAgain: Statement<
    [string, number],
    { readonly payment_id: Uint8Array; readonly first: Uint8Array }
  >;
  readonly byQuote: Statement<[Uint8Array], { readonly number: bigint }>;
  readonly byQuoteInBucket: Statement<[bigint, Uint8Array], { readonly number: bigint }>;
  readonly secret: Statement<[bigint], { readonly sealed: Uint8Array }>;
  readonly open: Statement<[string, bigint, Uint8Array, number], StoredPayment>;
  readonly unconcluded: Statement<[string, string], StoredPayment>;
  readonly conclude: Statement<[bigint]>;
  readonly ofPayer: Statement<[string, bigint, number], StoredPayment>;
  readonly ofPayee: Statement<[string, bigint, number], StoredPayment>;
  readonly each: Statement<[bigint, number], StoredPayment>;
} {
  const changedOf = (user: string, role: string): string =>
    `${wholePayment} WHERE p.${user} = ? AND p.role = '${role}' AND p.change > ?
     ORDER BY p.change LIMIT ?`;
  const toConclude = (user: string, role: string): string =>
    `SELECT number FROM payment
     WHERE ${user} = ? AND role = '${role}' AND decided_ms IS NOT NULL AND card_concluded = 0`;
  return {
    spentAgain: database.prepare(
      `SELECT p.payment_id, c.payment_id AS first FROM payment p
       JOIN coin c ON c.coin_id = p.coin_id AND c.payment_id <> p.payment_id
       WHERE p.role = 'issuer' AND p.payer = ? AND p.state = 'refused' ORDER BY p.number LIMIT ?`,
    ),
    byQuote: database.prepare(
      `SELECT p.number FROM payment_bucket b CROSS JOIN payment p ON p.bucket = b.bucket
       WHERE p.role = 'issuer' AND p.quote_digest = ?
       ORDER BY b.bucket DESC, p.number DESC LIMIT 1`,
    ),
    byQuoteInBucket: database.prepare(
      `SELECT number FROM payment WHERE role = 'issuer' AND bucket = ? AND quote_digest = ?
       ORDER BY number DESC LIMIT 1`,
    ),
    secret: database.prepare('SELECT sealed FROM held_secret WHERE number = ?'),
    open: database.prepare(
      `${wholePayment} WHERE p.role = ?
       AND p.decided_ms IS NULL
       AND (p.delivery_deadline, p.payment_id) > (?, ?)
       ORDER BY p.delivery_deadline, p.payment_id LIMIT ?`,
    ),
    unconcluded: database.prepare(
      `${wholePayment} WHERE p.number IN (${toConclude('payer', 'issuer')} UNION ALL
       ${toConclude('payee', 'last')}) ORDER BY p.number`,
    ),
    conclude: database.prepare(
      'UPDATE payment SET card_concluded = 1 WHERE number = ? AND decided_ms IS NOT NULL',
    ),
    ofPayer: database.prepare(changedOf('payer', 'issuer')),
    ofPayee: database.prepare(changedOf('payee', 'last')),
    each: database.prepare(`${wholePayment} WHERE p.number > ? ORDER BY p.number LIMIT ?`),
  };
}
