/**
 * All stored payments in the order of storing: each by itself, against its coin, and in what it
 * means for books, log and settlement.
 */
import { equalBytes, toLatin1 } from '../../applet-spec/bytes.ts';
import type { StationName } from '../../applet-spec/names.ts';
import { payment as paymentCodec, type Payment } from '../../applet-spec/payment.ts';
import type { AuditedPayment } from '../store/audit-store.ts';
import type { CoinRecord } from '../store/store.ts';
import type { AuditedStore } from './audit.ts';
import type { Finding } from './finding.ts';
import type { ItemisedBill } from './itemised-bill.ts';
import type { LedgerAudit } from './ledger-audit.ts';
import type { LogAudit } from './log-audit.ts';
import { auditPayment, type PaymentAuditContext } from './payment-audit.ts';
import { guarded } from './row-guard.ts';
import type { PaperShelf, StoredPapers } from './stored-papers.ts';
import type { TransferStream } from './transfer-stream.ts';

const pageRows = 500;

export interface PaymentsAuditOptions extends PaymentAuditContext {
  readonly store: AuditedStore;
  readonly shelf: PaperShelf;
  readonly ledger: LedgerAudit;
  readonly log: LogAudit;
  readonly bill: ItemisedBill;
  readonly transfers: TransferStream;
}

/** Our lines on payments with an issuer's coins. */
export interface Lines {
  /** Delivered, and marked as claimed by nothing yet. */
  unclaimed: bigint;
  /** Without a verdict. */
  inFlight: bigint;
}

export class PaymentsAudit {
  readonly findings: Finding[] = [];
  readonly lines = new Map<StationName, Lines>();
  restored = 0;
  readonly #options: PaymentsAuditOptions;
  /** Coin IDs seen in payments, by issuer. */
  readonly #usedCoins = new Map<StationName, Set<string>>();
  #lastNumber = 0n;
  #lastChange = 0n;

  constructor(options: PaymentsAuditOptions) {
    this.#options = options;
  }

  async read(): Promise<void> {
    const { store, transfers } = this.#options;
    for (;;) {
      const page = await store.auditedPayments(this.#lastNumber, pageRows);
      await this.#readPage(page);
      const last = page.at(-1);
      if (last === undefined || page.length < pageRows) break;
      await transfers.until(last.storedMs);
    }
    const told = await store.lastChange();
    if (told === this.#lastChange) return;
    const words = `the last change of a payment is number ${this.#lastChange}`;
    this.#find({ code: 'store-inconsistent', detail: `${words}, ${told} are counted` });
  }

  async #readPage(page: readonly AuditedPayment[]): Promise<void> {
    const none = new Uint8Array(0);
    const ours = page.map((row) => (row.role === 'issuer' ? row.coinId : none));
    const coins = await this.#options.store.coins(ours);
    for (const [i, stored] of page.entries()) {
      this.#inOrder(stored);
      this.#count(stored);
      const payment = this.#decoded(stored);
      if (payment === undefined) continue;
      const papers = await this.#options.shelf.papersOf(payment);
      const { paymentId } = stored;
      const about = { what: 'it', paymentId, party: this.#options.station };
      guarded(
        (finding) => this.findings.push(finding),
        about,
        () => {
          this.#audit(stored, payment, papers, coins[i]);
        },
      );
    }
  }

  #audit(
    stored: AuditedPayment,
    payment: Payment,
    papers: StoredPapers,
    coin: CoinRecord | undefined,
  ): void {
    const { ledger, bill } = this.#options;
    this.findings.push(...auditPayment(this.#options, stored, payment, papers));
    this.#useOnce(stored, payment);
    if (stored.role === 'issuer' && stored.state !== 'refused') this.#checkCoin(stored, coin);
    ledger.payment(stored, payment, isMadeWhole(stored, coin));
    bill.payment(stored, payment);
  }

  #decoded({ payment, paymentId, state }: AuditedPayment): Payment | undefined {
    try {
      return paymentCodec.decode(payment);
    } catch {
      const what = payment.length === 0 ? 'its content is not there' : 'it does not decode';
      this.#find({ code: 'undecodable', detail: `a payment that is ${state}: ${what}`, paymentId });
      return undefined;
    }
  }

  #inOrder({ number, paymentId }: AuditedPayment): void {
    if (number !== this.#lastNumber + 1n) {
      const detail = `stored payments ${this.#lastNumber + 1n} to ${number - 1n} are not there`;
      this.#find({ code: 'store-inconsistent', detail, paymentId });
    }
    this.#lastNumber = number;
  }

  /** What follows from the columns alone, whatever the content. */
  #count(stored: AuditedPayment): void {
    this.#options.log.payment(stored);
    if (stored.isRestored) this.restored++;
    if (stored.change > this.#lastChange) this.#lastChange = stored.change;
    if (stored.role === 'issuer') return;
    const lines = this.lines.get(stored.issuer) ?? { unclaimed: 0n, inFlight: 0n };
    if (stored.isUnclaimed) lines.unclaimed += stored.fee;
    if (stored.decidedMs === undefined) lines.inFlight += stored.fee;
    this.lines.set(stored.issuer, lines);
  }

  /** I13, from what was signed, whatever the columns say. */
  #useOnce({ paymentId, state }: AuditedPayment, { coin, quote }: Payment): void {
    if (state === 'refused') return;
    const { issuer, coinId } = coin.body;
    const used = this.#usedCoins.get(issuer) ?? new Set<string>();
    this.#usedCoins.set(issuer, used);
    const memory = toLatin1(coinId);
    if (used.has(memory)) {
      const detail = 'its coin pays another stored payment too';
      this.findings.push({ code: 'coin-used-twice', detail, paymentId, party: quote.payer });
    }
    used.add(memory);
  }

  #checkCoin({ paymentId, payer }: AuditedPayment, coin: CoinRecord | undefined): void {
    if (coin === undefined) {
      const detail = 'its coin is not among those that this station issued';
      this.#find({ code: 'coin-unknown', detail, paymentId });
    } else if (coin.paymentId === undefined || !equalBytes(coin.paymentId, paymentId)) {
      const detail = `its coin is ${coin.state} and does not name this payment`;
      this.#find({ code: 'coin-state', detail, paymentId });
    } else if (coin.owner !== payer) {
      const detail = `its coin is recorded as that of ${coin.owner}`;
      this.#find({ code: 'coin-owner', detail, paymentId });
    }
  }

  #find(finding: Omit<Finding, 'party'>): void {
    this.findings.push({ ...finding, party: this.#options.station });
  }
}

/** I26: burned and replaced without a verdict, or before a good one came. */
function isMadeWhole({ role, state }: AuditedPayment, coin: CoinRecord | undefined): boolean {
  return (
    role === 'issuer' &&
    coin?.state === 'burned' &&
    (state === 'admitted' || state === 'relayed' || state === 'delivered')
  );
}
