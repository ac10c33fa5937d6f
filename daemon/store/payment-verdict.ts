import { paymentEnd } from '../witness/log-leaf.ts';
import type { MoneyEvent } from '../ledger/postings.ts';
import type { CoinHead, CoinRows } from './coin-rows.ts';
import type { Statement } from './connection.ts';
import type { OutboxRows } from './outbox-rows.ts';
import type { PaymentHead, PaymentRows } from './payment-rows.ts';
import { bytesOf } from './row-values.ts';
import { StoreError } from './store-error.ts';
import type { StoreParts } from './store-parts.ts';
import type { DecideOutcome, Decision, PaymentStore } from './store.ts';

/**
 * How a payment ends, once (I25, I31): verdicts, tombstones, and the payer made whole without one.
 */
export class PaymentVerdict implements Pick<
  PaymentStore,
  'decide' | 'entomb' | 'tombstone' | 'makeWhole'
> {
  readonly #parts: StoreParts;
  readonly #coins: CoinRows;
  readonly #payments: PaymentRows;
  readonly #outbox: OutboxRows;
  readonly #eraseSecret: Statement<[bigint]>;
  readonly #putTombstone: Statement<[Uint8Array, Uint8Array]>;
  readonly #tombstone: Statement<[Uint8Array], { readonly receipt: Uint8Array }>;

  constructor(parts: StoreParts, coins: CoinRows, payments: PaymentRows, outbox: OutboxRows) {
    this.#parts = parts;
    this.#coins = coins;
    this.#payments = payments;
    this.#outbox = outbox;
    const { database } = parts;
    this.#eraseSecret = database.prepare('DELETE FROM held_secret WHERE number = ?');
    this.#putTombstone = database.prepare(
      `INSERT INTO tombstone (payment_id, receipt) VALUES (?, ?)
       ON CONFLICT (payment_id) DO NOTHING`,
    );
    this.#tombstone = database.prepare('SELECT receipt FROM tombstone WHERE payment_id = ?');
  }

  readonly decide: PaymentStore['decide'] = (decisions) =>
    this.#parts.database.write(() => decisions.map((decision) => this.#decide(decision)));

  readonly entomb: PaymentStore['entomb'] = (stones) =>
    this.#parts.database.write(() =>
      stones.map(({ paymentId, receipt, deliveryDeadline }) => {
        if (this.#payments.find(paymentId, deliveryDeadline) !== undefined) return 'payment-known';
        return this.#putTombstone.run(paymentId, receipt).changes === 1 ? 'created' : 'exists';
      }),
    );

  readonly tombstone: PaymentStore['tombstone'] = (paymentId) =>
    this.#parts.database.read(() => {
      const row = this.#tombstone.get(paymentId);
      return row && bytesOf(row.receipt);
    });

  readonly makeWhole: PaymentStore['makeWhole'] = (items) =>
    this.#parts.database.write(() =>
      items.map(({ paymentId, replacement, nowMs }) => {
        const number = this.#payments.find(paymentId);
        if (number === undefined) return 'unknown-payment';
        const head = this.#payments.head(number);
        if (isDecided(head)) return 'already-decided';
        const coin = this.#coinOf(head);
        if (coin.state === 'burned') return 'exists';
        this.#coins.conclude(coin, 'burned', replacement);
        const event = { event: 'payer-made-whole', value: head.value } as const;
        this.#parts.ledger.post(event, paymentId, nowMs);
        return 'created';
      }),
    );

  #decide(decision: Decision): DecideOutcome {
    const { paymentId, verdict, receipt, outbox: record, nowMs } = decision;
    const number = this.#payments.find(paymentId);
    if (number === undefined) return { outcome: 'unknown-payment' };
    const head = this.#payments.head(number);
    if (isDecided(head)) return { outcome: 'exists', row: this.#payments.row(number) };
    const atIssuer = head.role === 'issuer';
    if (!atIssuer && verdict === 'undelivered') {
      this.#parts.positions.giveBack(head.issuer, head.fee);
    }
    const event = atIssuer
      ? this.#settle(head, decision)
      : verdict === 'delivered'
        ? ({ event: 'payment-carried', issuer: head.issuer, fee: head.fee } as const)
        : undefined;
    const { primitives, ledger } = this.#parts;
    const content =
      head.content_hash === null
        ? primitives.sha256(this.#payments.content(number))
        : bytesOf(head.content_hash);
    const end = paymentEnd(primitives, verdict, content, receipt);
    ledger.post(event, paymentId, nowMs, { number, ...end });
    if (head.role === 'last') this.#eraseSecret.run(number);
    // The verdict makes forwarding pointless, and its record holds the secret.
    if (head.outbox_row !== null) this.#outbox.delete(head.outbox_row);
    const unclaimed = !atIssuer && verdict === 'delivered' && head.fee > 0n;
    this.#payments.conclude(number, verdict, receipt, unclaimed, nowMs);
    if (record === undefined) return { outcome: 'decided' };
    const outboxRow = this.#outbox.insert('word', { ...record, paymentId });
    return { outcome: 'decided', outboxRow };
  }

  /** At the issuer: the coin's end, and what is owed to whom. */
  #settle(head: PaymentHead, { verdict, replacement }: Decision): MoneyEvent {
    const coin = this.#coinOf(head);
    const madeWhole = coin.state === 'burned';
    if (verdict === 'delivered') {
      if (!madeWhole) this.#coins.conclude(coin, 'spent');
      const { station } = this.#parts;
      return { event: 'payment-delivered', station, bill: this.#payments.bill(head.number) };
    }
    if (!madeWhole) this.#coins.conclude(coin, 'burned', replacement);
    return { event: 'payment-undelivered', value: head.value, madeWhole };
  }

  #coinOf(head: PaymentHead): CoinHead {
    if (head.role !== 'issuer') throw new StoreError('defect', 'the coin is its issuer’s');
    const coin = this.#coins.head(head.coin_id);
    if (coin === undefined) throw new StoreError('corrupt', 'an admitted payment has no coin');
    return coin;
  }
}

function isDecided({ state }: PaymentHead): boolean {
  return state === 'delivered' || state === 'undelivered' || state === 'refused';
}
