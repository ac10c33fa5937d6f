/**
 * The books, recomputed: what payments, coins and windows say must have been booked, against every
 * transfer and every account's total (I1, I2). Fed row by row, in any order.
 */
import { fromHex, fromUtf8, toHex } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Payment } from '../../applet-spec/payment.ts';
import { accounts as chart, type AccountName } from '../ledger/chart-of-accounts.ts';
import { postingsOf, type MoneyEvent } from '../ledger/postings.ts';
import { balancesOf, trialBalance } from '../ledger/trial-balance.ts';
import type { CashMovement, CoinOrder } from '../store/audit-store.ts';
import type { Transfer } from '../store/book-store.ts';
import type { SettlementWindow } from '../store/settlement-store.ts';
import type { CoinRecord, PaymentRow } from '../store/store.ts';
import { BookingTimes } from './booking-times.ts';
import type { Finding } from './finding.ts';
import { EarliestTimes } from './earliest-times.ts';
import { Reconciliation, type Discrepancy } from './reconciliation.ts';
import { transferFault } from './transfer-form.ts';

/** Owed to whoever holds them: coins that were neither used nor given back. */
const live: ReadonlySet<CoinRecord['state']> = new Set([
  'reserved',
  'loading',
  'unspent',
  'retiring',
]);

/** A clock that was set back by less than this misdates nothing. */
const skewMs = 60_000;

const discrepancyCodes = {
  'not-booked': 'transfer-missing',
  'not-expected': 'transfer-unexplained',
  differing: 'transfers-differ',
} as const satisfies Record<Discrepancy['kind'], Finding['code']>;

export class LedgerAudit {
  readonly findings: Finding[] = [];
  readonly #station: StationName;
  readonly #reconciliation = new Reconciliation();
  readonly #earliest = new EarliestTimes();
  readonly #times = new BookingTimes();
  readonly #overdrawn = new Set<string>();
  /** Values bought, by order; what no purchase paid for is left at the end. */
  readonly #orders = new Map<string, { readonly owner: string; value: bigint }>();
  readonly #bought = new Set<string>();
  readonly #refunds = new Map<string, bigint>();
  readonly #sums = new Map<string, bigint>();
  #liveValue = 0n;
  #pendingValue = 0n;
  #lastNumber = 0n;
  #lastTimeMs = 0;

  constructor(station: StationName) {
    this.#station = station;
  }

  /**
   * `payerMadeWhole`: the coin was burned although no verdict had come, or a good one came later.
   */
  payment(
    row: PaymentRow & { readonly isRestored: boolean },
    payment: Payment,
    payerMadeWhole: boolean,
  ): void {
    const station = this.#station;
    const { bill } = payment.quote;
    const { value, issuer } = payment.coin.body;
    const events: MoneyEvent[] = [];
    const open = row.state === 'admitted' || row.state === 'relayed';
    if (row.role === 'issuer') {
      if (row.state !== 'refused') events.push({ event: 'payment-admitted', value });
      if (open) this.#pendingValue += value;
      if (payerMadeWhole) {
        events.push({ event: 'payer-made-whole', value });
        this.#earliest.notBefore(`payment ${toHex(row.paymentId)}`, row.resolutionDeadline);
      }
      if (row.state === 'delivered') events.push({ event: 'payment-delivered', station, bill });
      if (row.state === 'undelivered') {
        events.push({ event: 'payment-undelivered', value, madeWhole: false });
      }
    } else if (row.state === 'delivered') {
      const fee = bill.find((line) => line.station === station)?.fee ?? 0n;
      events.push({ event: 'payment-carried', issuer, fee });
    }
    const reference = `payment ${toHex(row.paymentId)}`;
    for (const event of events) this.#expect(reference, event);
    const isAdmitted = row.role === 'issuer' && row.state !== 'refused' && value > 0n;
    if (isAdmitted && !row.isRestored) this.#times.stored(reference, row.storedMs);
  }

  coin(record: CoinRecord): void {
    const { coinId, owner, value, state, orderId, replaces, expirySeconds } = record;
    if (live.has(state)) this.#liveValue += value;
    if (state === 'expired') {
      const event = { event: 'coins-expired', user: owner, amount: value } as const;
      this.#expect(`coin ${toHex(coinId)}`, event);
      this.#earliest.notBefore(`coin ${toHex(coinId)}`, expirySeconds);
    }
    if (replaces !== undefined) return;
    const order = this.#orders.get(toHex(orderId)) ?? { owner, value: 0n };
    if (order.owner !== owner) {
      const detail = `order ${toHex(orderId)}: coins of ${order.owner} and of ${owner}`;
      this.#find({ code: 'coin-owner', detail });
    }
    order.value += value;
    this.#orders.set(toHex(orderId), order);
  }

  /** `given`: what the coins that it took are worth. */
  order({ orderId, kind, state, user, timeMs }: CoinOrder, given: bigint): void {
    const reference = `order ${toHex(orderId)}`;
    if (kind === 'buy') this.#times.stored(reference, timeMs);
    if (kind !== 'refund' || state !== 'done') return;
    this.#expect(reference, { event: 'coins-refunded', user, amount: given });
  }

  cash({ kind: event, reference, user, amount }: CashMovement): void {
    this.#expect(`${event} ${reference}`, { event, user, amount });
  }

  window({ peer, sequence, state, ours, theirs }: SettlementWindow): void {
    if (state !== 'paid') return;
    const event = {
      event: 'window-paid',
      peer,
      owed: theirs.amount,
      claimed: ours.amount,
    } as const;
    this.#expect(`window settlement ${peer} ${sequence}`, event);
  }

  transfer(transfer: Transfer): void {
    const { number, debit, credit, amount, timeMs } = transfer;
    if (number !== this.#lastNumber + 1n) {
      const detail = `transfers ${this.#lastNumber + 1n} to ${number - 1n} are not there`;
      this.#find({ code: 'transfer-missing', detail });
    }
    this.#lastNumber = number;
    if (timeMs < this.#lastTimeMs - skewMs) {
      const detail = `transfer ${number} is dated before the one that precedes it`;
      this.#find({ code: 'times-broken', detail });
    }
    this.#lastTimeMs = timeMs;
    for (const [account, balance] of balancesOf([{ debit, credit, amount }])) {
      const sum = (this.#sums.get(account) ?? 0n) + balance;
      this.#sums.set(account, sum);
      if (sum > 0n && account.startsWith('user:')) this.#overdraw(account, sum, number);
    }
    const fault = transferFault(transfer);
    if (fault !== undefined) {
      this.#find({ code: 'transfer-unexplained', detail: `transfer ${number}: ${fault}` });
    }
    this.#match(transfer);
  }

  /** Money credited for coins given back, by user. */
  refundsOf(user: string): bigint {
    return this.#refunds.get(user) ?? 0n;
  }

  /** Value of the coins that no purchase paid for, by user. */
  unbought(): ReadonlyMap<string, bigint> {
    const sums = new Map<string, bigint>();
    for (const [order, { owner, value }] of this.#orders) {
      if (!this.#bought.has(order)) sums.set(owner, (sums.get(owner) ?? 0n) + value);
    }
    return sums;
  }

  /** Of the transfers told so far, the highest. */
  get lastNumber(): bigint {
    return this.#lastNumber;
  }

  /** When everything has been told. Returns the trial balance of the accounts' totals. */
  finish(balances: ReadonlyMap<string, bigint>): bigint {
    for (const discrepancy of this.#reconciliation.discrepancies()) this.#report(discrepancy);
    for (const reference of this.#earliest.tooEarly()) {
      const detail = `${reference}: money was given back before its time`;
      this.#find({ code: 'booked-too-early', detail, ...paymentOf(reference) });
    }
    for (const reference of this.#times.differing()) {
      const detail = `${reference}: it was booked at another time than it was stored`;
      this.#find({ code: 'times-broken', detail, ...paymentOf(reference) });
    }
    for (const account of new Set([...balances.keys(), ...this.#sums.keys()])) {
      this.#checkAccount(account, balances.get(account) ?? 0n);
    }
    this.#conserve(chart.coinsOutstanding, this.#liveValue, 'coins not used or given back');
    this.#conserve(chart.pendingPayments, this.#pendingValue, 'payments without a verdict');
    const balance = trialBalance(balances);
    if (balance !== 0n) {
      this.#find({ code: 'trial-balance', detail: `debits exceed credits by ${balance}` });
    }
    return balance;
  }

  #match({ kind, reference, debit, credit, amount, timeMs }: Transfer): void {
    switch (kind) {
      case 'top-up':
      case 'pay-out':
        this.#reconciliation.booked(`${kind} ${textOf(reference)}`, { debit, credit, amount });
        return;
      case 'buy': {
        const order = this.#orders.get(toHex(reference));
        const twice = this.#bought.has(toHex(reference));
        this.#bought.add(toHex(reference));
        this.#times.booked(`order ${toHex(reference)}`, timeMs);
        if (!twice && order?.value === amount && debit === `user:${order.owner}`) return;
        const detail = `${amount} for order ${toHex(reference)}: no such coins were made for it`;
        this.#find({ code: 'transfer-unexplained', detail });
        return;
      }
      case 'found': {
        const order = this.#orders.get(toHex(reference));
        const twice = this.#bought.has(toHex(reference));
        this.#bought.add(toHex(reference));
        if (!twice && order?.value === amount) return;
        const detail = `${amount} for a coin that came to light: there is none worth that`;
        this.#find({ code: 'transfer-unexplained', detail });
        return;
      }
      case 'refund': {
        const user = credit.slice('user:'.length);
        this.#refunds.set(user, this.refundsOf(user) + amount);
        this.#reconciliation.booked(`order ${toHex(reference)}`, { debit, credit, amount });
        return;
      }
      case 'expiry':
        this.#earliest.booked(`coin ${toHex(reference)}`, timeMs);
        this.#reconciliation.booked(`coin ${toHex(reference)}`, { debit, credit, amount });
        return;
      case 'settlement-paid':
      case 'settlement-received':
        this.#reconciliation.booked(`window ${textOf(reference)}`, { debit, credit, amount });
        return;
      default:
        if (kind === 'admission') this.#times.booked(`payment ${toHex(reference)}`, timeMs);
        if (kind === 'resolution') this.#earliest.booked(`payment ${toHex(reference)}`, timeMs);
        this.#reconciliation.booked(`payment ${toHex(reference)}`, { debit, credit, amount });
    }
  }

  /** An amount that no program could have booked is a finding, like any other. */
  #expect(reference: string, event: MoneyEvent): void {
    try {
      this.#reconciliation.expect(reference, postingsOf(event));
    } catch (error) {
      const why = error instanceof Error ? error.message : 'an amount out of bounds';
      this.#find({ code: 'store-inconsistent', detail: `${reference}: ${why}` });
    }
  }

  #report({ reference, accounts, kind }: Discrepancy): void {
    const parts = [...accounts].map(([account, amount]) => `${account} ${amount}`);
    this.#find({
      code: discrepancyCodes[kind],
      detail: `${reference}: booked less expected is ${parts.join(', ')}`,
      ...paymentOf(reference),
    });
  }

  /** At whatever time: a balance that was made good since was somebody's loan all the same. */
  #overdraw(account: string, by: bigint, number: bigint): void {
    if (this.#overdrawn.has(account)) return;
    this.#overdrawn.add(account);
    const detail = `transfer ${number} overdraws ${account} by ${by}`;
    this.#find({ code: 'account-overdrawn', detail });
  }

  #checkAccount(account: string, total: bigint): void {
    const sum = this.#sums.get(account) ?? 0n;
    if (sum !== total) {
      const detail = `${account}: its transfers sum to ${sum}, its total says ${total}`;
      this.#find({ code: 'account-total-differs', detail });
    }
  }

  /** I1: what the books owe is what the coins and payments are worth. */
  #conserve(account: AccountName, value: bigint, what: string): void {
    const owed = -(this.#sums.get(account) ?? 0n);
    if (owed === value) return;
    const detail = `${account}: the books owe ${owed}, ${what} are worth ${value}`;
    this.#find({ code: 'conservation', detail });
  }

  #find(finding: Omit<Finding, 'party'>): void {
    this.findings.push({ ...finding, party: this.#station });
  }
}

function textOf(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes);
  } catch {
    return toHex(bytes);
  }
}

/** `payment ID`, or something else that money moves for. */
function paymentOf(reference: string): { readonly paymentId?: Uint8Array } {
  const [what, id] = reference.split(' ');
  return what === 'payment' && id !== undefined ? { paymentId: fromHex(id) } : {};
}
