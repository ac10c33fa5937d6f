import { bytesOf } from './row-values.ts';
import { CertificateRows } from './certificate-rows.ts';
import type { CoinHead, CoinRows } from './coin-rows.ts';
import type { SqliteDatabase } from './database.ts';
import type { PaymentRows } from './payment-rows.ts';
import type { RecoveryStore, RestoredPayment, RestoreOutcome } from './recovery-store.ts';
import { StoreError } from './store-error.ts';
import type { RetirementRows } from './retirement-rows.ts';
import type { StoreParts } from './store-parts.ts';
import type { PaymentState } from './store.ts';

/** Where a payment stands of which only a neighbour told: on its way, and no outbox of ours. */
const states = { issuer: 'relayed', relay: 'forwarded', last: 'held' } as const satisfies Record<
  RestoredPayment['role'],
  PaymentState
>;

type Found =
  | { readonly outcome: 'spendable'; readonly coin: CoinHead }
  | Extract<RestoreOutcome, { readonly outcome: 'coin-used' | 'coin-not-unspent' }>;

/** How a payment comes back into books that had lost it. */
export class RestoringRows implements Pick<RecoveryStore, 'restore'> {
  readonly #parts: StoreParts;
  readonly #coins: CoinRows;
  readonly #payments: PaymentRows;
  readonly #retirements: RetirementRows;
  readonly #certificates: CertificateRows;
  readonly #sql: ReturnType<typeof prepareRestoring>;

  constructor(
    parts: StoreParts,
    coins: CoinRows,
    payments: PaymentRows,
    retirements: RetirementRows,
  ) {
    this.#parts = parts;
    this.#coins = coins;
    this.#payments = payments;
    this.#retirements = retirements;
    this.#certificates = new CertificateRows(parts);
    this.#sql = prepareRestoring(parts.database);
  }

  readonly restore: RecoveryStore['restore'] = (payments) =>
    this.#parts.database.write(() => payments.map((payment) => this.#restore(payment)));

  #restore(payment: RestoredPayment): RestoreOutcome {
    const { paymentId, role, issuer, coinId, fee } = payment;
    const number = this.#payments.find(paymentId, payment.deliveryDeadline);
    if (number !== undefined) return { outcome: 'exists', row: this.#payments.row(number) };
    if (role === 'issuer') return this.#restoreOurs(payment);
    const by = this.#payments.byCoin(issuer, coinId);
    if (by !== undefined) return { outcome: 'coin-used', by };
    const stone = this.#sql.tombstone.get(paymentId);
    if (stone !== undefined) return { outcome: 'entombed', receipt: bytesOf(stone.receipt) };
    // It was carried before: whatever the limit, its issuer may owe it.
    this.#parts.positions.take(issuer, fee);
    this.#insert(payment);
    return { outcome: 'restored' };
  }

  #restoreOurs(payment: RestoredPayment): RestoreOutcome {
    const { paymentId, value, bill, nowMs } = payment;
    if (bill.reduce((sum, { fee }) => sum + fee, 0n) !== value) {
      throw new StoreError('defect', 'a bill is not the value (I4)');
    }
    const found = this.#coinOf(payment);
    if (found.outcome !== 'spendable') return found;
    this.#coins.markPending(found.coin, paymentId);
    this.#insert(payment);
    this.#parts.ledger.post({ event: 'payment-admitted', value }, paymentId, nowMs);
    return { outcome: 'restored' };
  }

  /** Unspent, whatever the books had seen of its way to the card. */
  #coinOf(payment: RestoredPayment): Found {
    const { coinId, payer, value } = payment;
    const coin = this.#coins.head(coinId) ?? this.#found(payment);
    if (coin.payment_id !== null) return { outcome: 'coin-used', by: bytesOf(coin.payment_id) };
    if (coin.owner !== payer || coin.value !== value) {
      return { outcome: 'coin-not-unspent', state: 'unknown' };
    }
    if (coin.state === 'reserved') this.#sql.step.run('loading', coin.number);
    if (coin.state === 'reserved' || coin.state === 'loading') {
      this.#sql.step.run('unspent', coin.number);
    } else if (coin.state === 'retiring') {
      this.#retirements.neverRetired(coin);
    } else if (coin.state !== 'unspent') {
      return { outcome: 'coin-not-unspent', state: coin.state };
    }
    return { outcome: 'spendable', coin };
  }

  /**
   * Sold, exchanged or given for a burned one in the time that is lost: its value is owed, and who
   * paid for it is for the operator to find. Its secret is gone; it pays this one payment.
   */
  #found({ paymentId, coinId, payer, value, shown, nowMs }: RestoredPayment): CoinHead {
    if (shown === undefined) throw new StoreError('defect', 'a coin of ours without its content');
    this.#sql.addUser.run(payer, this.#parts.currency);
    const orderId = paymentId.slice(0, 16);
    this.#coins.insert({ coinId, value, ...shown, secret: new Uint8Array(0) }, payer, orderId);
    this.#parts.ledger.post({ event: 'coin-found', amount: value }, orderId, nowMs);
    const coin = this.#coins.head(coinId);
    if (coin === undefined) throw new StoreError('defect', 'a coin that was put in is gone');
    return coin;
  }

  #insert(payment: RestoredPayment): void {
    const content = this.#parts.primitives.sha256(payment.payment);
    const certificate = this.#certificates.put(payment.payerCertificate);
    const hashes = { certificate, content };
    const number = this.#payments.insert(payment, states[payment.role], hashes, undefined);
    this.#sql.markRestored.run(number);
    if (payment.role === 'issuer') this.#sql.unmarkPaying.run(payment.quoteDigest);
  }
}

function prepareRestoring(database: SqliteDatabase) {
  return {
    tombstone: database.prepare<[Uint8Array], { readonly receipt: Uint8Array }>(
      'SELECT receipt FROM tombstone WHERE payment_id = ?',
    ),
    step: database.prepare<[string, bigint]>('UPDATE coin SET state = ? WHERE number = ?'),
    addUser: database.prepare<[string, string]>(
      'INSERT INTO user (name, currency) VALUES (?, ?) ON CONFLICT (name) DO NOTHING',
    ),
    unmarkPaying: database.prepare<[Uint8Array]>('DELETE FROM paying WHERE quote_digest = ?'),
    markRestored: database.prepare<[bigint]>('INSERT INTO restored_payment (number) VALUES (?)'),
  };
}
