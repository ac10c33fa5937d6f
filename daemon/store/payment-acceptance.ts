import { paymentEnd } from '../witness/log-leaf.ts';
import type { CoinHead, CoinRows } from './coin-rows.ts';
import { CertificateRows } from './certificate-rows.ts';
import type { Statement } from './connection.ts';
import type { OutboxRows } from './outbox-rows.ts';
import type { PaymentRows } from './payment-rows.ts';
import { bytesOf } from './row-values.ts';
import type { SealedPlace } from './sealing.ts';
import { StoreError } from './store-error.ts';
import type { StoreParts } from './store-parts.ts';
import type {
  AcceptOutcome,
  HoldOutcome,
  NewPayment,
  PaymentState,
  PaymentStore,
} from './store.ts';

type SpendableCoin =
  | { readonly outcome: 'spendable'; readonly coin: CoinHead }
  | Extract<AcceptOutcome, { readonly outcome: 'coin-used' | 'coin-not-unspent' }>;

/** How a payment first becomes a station's own: admitted, held, or refused before admission. */
export class PaymentAcceptance implements Pick<PaymentStore, 'admit' | 'hold' | 'refuse'> {
  readonly #parts: StoreParts;
  readonly #coins: CoinRows;
  readonly #payments: PaymentRows;
  readonly #outbox: OutboxRows;
  readonly #certificates: CertificateRows;
  readonly #insertSecret: Statement<[bigint, Uint8Array]>;
  readonly #tombstone: Statement<[Uint8Array], { readonly receipt: Uint8Array }>;
  readonly #unmarkPaying: Statement<[Uint8Array]>;

  constructor(parts: StoreParts, coins: CoinRows, payments: PaymentRows, outbox: OutboxRows) {
    this.#parts = parts;
    this.#coins = coins;
    this.#payments = payments;
    this.#outbox = outbox;
    this.#certificates = new CertificateRows(parts);
    const { database } = parts;
    this.#insertSecret = database.prepare('INSERT INTO held_secret (number, sealed) VALUES (?, ?)');
    this.#unmarkPaying = database.prepare('DELETE FROM paying WHERE quote_digest = ?');
    this.#tombstone = database.prepare('SELECT receipt FROM tombstone WHERE payment_id = ?');
  }

  readonly admit: PaymentStore['admit'] = (payments) =>
    this.#parts.database.write(() => payments.map((payment) => this.#admit(payment)));

  readonly hold: PaymentStore['hold'] = (payments) =>
    this.#parts.database.write(() => payments.map((payment) => this.#hold(payment)));

  readonly refuse: PaymentStore['refuse'] = (refusals) =>
    this.#parts.database.write(() =>
      refusals.map(({ payment, refusal, replacement }): AcceptOutcome => {
        requireIssuer(payment);
        const before = this.#before(payment);
        if (before !== undefined) return before;
        if (replacement !== undefined) {
          const found = this.#spendable(payment);
          if (found.outcome !== 'spendable') return found;
          this.#coins.markPending(found.coin, payment.paymentId);
          const burning = { ...found.coin, payment_id: payment.paymentId };
          this.#coins.conclude(burning, 'burned', replacement);
        }
        const { number, content } = this.#insert(payment, 'refused');
        this.#payments.putRefusal(number, refusal);
        const { primitives, ledger } = this.#parts;
        const end = paymentEnd(primitives, 'refused', content, refusal);
        ledger.post(undefined, payment.paymentId, payment.storedMs, { number, ...end });
        return { outcome: 'created' };
      }),
    );

  #admit(payment: NewPayment): AcceptOutcome {
    requireIssuer(payment);
    requireNext(payment);
    const billed = payment.bill.reduce((sum, { fee }) => sum + fee, 0n);
    if (billed !== payment.value) throw new StoreError('defect', 'a bill is not the value (I4)');
    const before = this.#before(payment);
    if (before !== undefined) return before;
    const found = this.#spendable(payment);
    if (found.outcome !== 'spendable') return found;
    this.#coins.markPending(found.coin, payment.paymentId);
    const { outcome } = this.#insert(payment, 'admitted');
    const event = { event: 'payment-admitted', value: payment.value } as const;
    this.#parts.ledger.post(event, payment.paymentId, payment.storedMs);
    return outcome;
  }

  #hold(payment: NewPayment): HoldOutcome {
    if (payment.role === 'issuer') throw new StoreError('defect', 'an issuer admits');
    if (payment.role === 'relay') requireNext(payment);
    const before = this.#before(payment);
    if (before !== undefined) return before;
    const stone = this.#tombstone.get(payment.paymentId);
    if (stone !== undefined) return { outcome: 'entombed', receipt: bytesOf(stone.receipt) };
    const by = this.#payments.byCoin(payment.issuer, payment.coinId);
    if (by !== undefined) return { outcome: 'coin-used', by };
    const { issuer, fee, positionLimit } = payment;
    const position = this.#parts.positions.take(issuer, fee, positionLimit);
    if (position !== undefined) return { outcome: 'position-limit', position };
    const { number, outcome } = this.#insert(payment, 'held');
    if (payment.role === 'last') this.#keepSecret(number, payment);
    return outcome;
  }

  #before(payment: NewPayment): AcceptOutcome | undefined {
    const number = this.#payments.find(payment.paymentId, payment.deliveryDeadline);
    return number === undefined
      ? undefined
      : { outcome: 'exists', row: this.#payments.row(number) };
  }

  #spendable({ coinId, payer, value }: NewPayment): SpendableCoin {
    const coin = this.#coins.head(coinId);
    if (coin === undefined) return { outcome: 'coin-not-unspent', state: 'unknown' };
    if (coin.payment_id !== null) return { outcome: 'coin-used', by: bytesOf(coin.payment_id) };
    if (coin.owner !== payer || coin.value !== value) {
      return { outcome: 'coin-not-unspent', state: 'unknown' };
    }
    if (coin.state !== 'unspent') return { outcome: 'coin-not-unspent', state: coin.state };
    return { outcome: 'spendable', coin };
  }

  #insert(payment: NewPayment, state: PaymentState) {
    const { outbox: record, next: peer, paymentId } = payment;
    const outboxRow =
      record !== undefined && peer !== undefined && state !== 'refused'
        ? this.#outbox.insert('payment', { peer, paymentId, record })
        : undefined;
    const content = this.#parts.primitives.sha256(payment.payment);
    const certificate = this.#certificates.put(payment.payerCertificate);
    const number = this.#payments.insert(payment, state, { certificate, content }, outboxRow);
    if (payment.role === 'issuer') this.#unmarkPaying.run(payment.quoteDigest);
    const created = { outcome: 'created' } as const;
    return {
      number,
      content,
      outcome: outboxRow === undefined ? created : { ...created, outboxRow },
    };
  }

  #keepSecret(number: bigint, { paymentId, secret }: NewPayment): void {
    if (secret === undefined) throw new StoreError('defect', 'the last station holds the secret');
    this.#insertSecret.run(number, this.#parts.sealer.seal(heldPlace(paymentId), secret));
  }
}

export function heldPlace(paymentId: Uint8Array): SealedPlace {
  return { table: 'held_secret', row: paymentId, version: 1, state: 'undecided' };
}

function requireIssuer(payment: NewPayment): void {
  if (payment.role !== 'issuer') throw new StoreError('defect', 'only an issuer admits or refuses');
}

/** Durable before sent (I30): a payment that goes on has its record in the same transaction. */
function requireNext(payment: NewPayment): void {
  if (payment.next === undefined || payment.outbox === undefined) {
    throw new StoreError('defect', 'a payment that goes on has a next station and a record');
  }
}
