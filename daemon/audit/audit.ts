/**
 * S6 at a station: everything it stores, recomputed from signed evidence, offline and in one pass
 * over payments, transfers, coins and claims. What is kept in memory grows with what is under way
 * and with one short ID per payment, not with the evidence.
 */
import { equalBytes, toLatin1 } from '../../applet-spec/bytes.ts';
import type { Certificate } from '../../applet-spec/certificate.ts';
import type { Currency, StationName } from '../../applet-spec/names.ts';
import { payment as paymentCodec, type Payment } from '../../applet-spec/payment.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import type { CashMovement } from '../store/audit-store.ts';
import type { CoinRecord, PaymentRow, Store } from '../store/store.ts';
import { accounts } from '../ledger/chart-of-accounts.ts';
import { CheckpointAudit, type DeclaredLoss } from './checkpoint-audit.ts';
import { CoinsAudit } from './coins-audit.ts';
import { auditEvidence } from './evidence-audit.ts';
import type { Finding } from './finding.ts';
import { ItemisedBill, type Item, type ItemFilter, type ItemisedReport } from './itemised-bill.ts';
import { LedgerAudit } from './ledger-audit.ts';
import { LogAudit } from './log-audit.ts';
import { auditPayment } from './payment-audit.ts';
import { auditSettlement } from './settlements-audit.ts';
import { StationKeys } from './station-keys.ts';
import { PaperShelf } from './stored-papers.ts';
import { TransferStream } from './transfer-stream.ts';

export type AuditedStore = Pick<
  Store,
  | 'eachPayment'
  | 'payments'
  | 'coins'
  | 'coinsOf'
  | 'replacements'
  | 'users'
  | 'certificate'
  | 'announcements'
  | 'stationCertificates'
  | 'ownAnnouncement'
  | 'balances'
  | 'transfers'
  | 'position'
  | 'positions'
  | 'windows'
  | 'claims'
  | 'cashMovements'
  | 'eachEvidence'
  | 'storedBills'
  | 'strayClaims'
  | 'logLeaves'
  | 'logTiles'
  | 'checkpoints'
  | 'cosigned'
  | 'witnessed'
  | 'twoLogs'
  | 'declarations'
  | 'restored'
>;

export interface AuditOptions {
  readonly station: StationName;
  readonly network: string;
  readonly currency: Currency;
  readonly primitives: Primitives;
  readonly root: Certificate;
  /** DER, from the station's files: coin and document certificates, in use and former. */
  readonly ownCertificates: readonly Uint8Array[];
  readonly store: AuditedStore;
  readonly filter?: ItemFilter;
  readonly onItem?: (item: Item) => void;
}

export interface AuditReport extends ItemisedReport {
  readonly station: StationName;
  readonly currency: Currency;
  readonly findings: readonly Finding[];
  /** Sum of debits less sum of credits over all accounts: zero in sound books. */
  readonly trialBalance: bigint;
  /** What stations have declared lost of their logs, this one and its neighbours; for ever. */
  readonly losses: readonly DeclaredLoss[];
  /** Payments that are here because a neighbour showed them. */
  readonly restoredPayments: number;
  /** Value of coins that came to light after a loss, and that nobody is known to have paid for. */
  readonly lostRecords: bigint;
}

const pageRows = 500;

export async function auditStation(options: AuditOptions): Promise<AuditReport> {
  return new StationAudit(options).run();
}

class StationAudit {
  readonly #options: AuditOptions;
  readonly #keys: StationKeys;
  readonly #shelf: PaperShelf;
  readonly #ledger: LedgerAudit;
  readonly #log: LogAudit;
  readonly #transfers: TransferStream;
  readonly #bill: ItemisedBill;
  readonly #findings: Finding[] = [];
  readonly #checkpoints: CheckpointAudit;
  #restoredPayments = 0;
  /** Coin IDs seen in payments, by issuer. */
  readonly #usedCoins = new Map<StationName, Set<string>>();

  constructor(options: AuditOptions) {
    const { station, store, filter, onItem } = options;
    this.#options = options;
    this.#keys = new StationKeys(options);
    this.#shelf = new PaperShelf({ ...options, keys: this.#keys });
    this.#ledger = new LedgerAudit(station);
    this.#checkpoints = new CheckpointAudit({ ...options, keys: this.#keys });
    this.#log = new LogAudit({ ...options, checkpoints: this.#checkpoints });
    this.#transfers = new TransferStream(store, (transfer) => {
      this.#ledger.transfer(transfer);
    });
    this.#bill = new ItemisedBill(station, filter ?? {}, onItem ?? (() => {}));
  }

  async run(): Promise<AuditReport> {
    const { station, currency, store } = this.#options;
    await this.#readKeys();
    // Orders must be known before the transfers that paid for them.
    const coins = new CoinsAudit({ ...this.#options, keys: this.#keys }, this.#ledger, this.#bill);
    await coins.read();
    await this.#readCash();
    await this.#readPayments();
    await this.#readEvidence();
    await this.#transfers.rest();
    this.#findings.push(...coins.finish());
    this.#findings.push(
      ...(await auditSettlement({ ...this.#options, keys: this.#keys }, this.#ledger)),
    );
    this.#findings.push(...(await this.#log.run(this.#ledger.lastNumber)));
    const balances = await store.balances();
    const trialBalance = this.#ledger.finish(balances);
    this.#findings.push(...this.#ledger.findings);
    return {
      station,
      currency,
      findings: this.#findings,
      trialBalance,
      losses: this.#checkpoints.losses,
      restoredPayments: this.#restoredPayments,
      lostRecords: balances.get(accounts.lostRecords) ?? 0n,
      ...this.#bill.report(),
    };
  }

  async #readKeys(): Promise<void> {
    const { station, store, ownCertificates } = this.#options;
    const own = ownCertificates.map((certificate) => ({ station, certificate }));
    for (const known of [...own, ...(await store.stationCertificates())]) {
      const finding = this.#keys.addCertificate(known.certificate, known.station);
      if (finding !== undefined) this.#findings.push(finding);
    }
    for (const bytes of await store.announcements()) {
      this.#findings.push(...this.#keys.addAnnouncement(bytes));
    }
  }

  async #readCash(): Promise<void> {
    const { store } = this.#options;
    for (const kind of ['top-up', 'pay-out'] as const) {
      for (let after: string | undefined; ;) {
        const page: readonly CashMovement[] = await store.cashMovements(kind, after, pageRows);
        for (const movement of page) this.#ledger.cash(movement);
        const last = page.at(-1);
        if (last === undefined || page.length < pageRows) break;
        after = last.reference;
      }
    }
  }

  async #readEvidence(): Promise<void> {
    const { store } = this.#options;
    for (let after = 0n; ;) {
      const page = await store.eachEvidence(after, pageRows);
      const rows = await store.payments(page.map(({ paymentId }) => paymentId));
      const context = { ...this.#options, keys: this.#keys };
      page.forEach((one, i) => {
        const finding = auditEvidence(context, one, rows[i]);
        if (finding !== undefined) this.#findings.push(finding);
      });
      const last = page.at(-1);
      if (last === undefined || page.length < pageRows) return;
      after = last.number;
    }
  }

  async #readPayments(): Promise<void> {
    const { store } = this.#options;
    const cursors = new Set<string>();
    for (let after: Uint8Array | undefined; ;) {
      const rows: readonly PaymentRow[] = await store.eachPayment(after, pageRows);
      await this.#readPage(rows);
      const last = rows.at(-1);
      if (last === undefined || rows.length < pageRows) return;
      await this.#transfers.until(last.storedMs);
      after = last.paymentId;
      const cursor = toLatin1(after);
      if (cursors.has(cursor)) {
        const detail = 'two stored payments have one ID; those behind them cannot be read';
        this.#findings.push({ code: 'store-inconsistent', detail, paymentId: after });
        return;
      }
      cursors.add(cursor);
    }
  }

  async #readPage(rows: readonly PaymentRow[]): Promise<void> {
    const { store, station } = this.#options;
    const coins = await store.coins(rows.map(({ coinId }) => coinId));
    const restored = await store.restored(rows.map(({ paymentId }) => paymentId));
    const bills = await store.storedBills(rows.map(({ paymentId }) => paymentId));
    for (const [i, row] of rows.entries()) {
      this.#log.payment(row);
      if (restored[i] === true) this.#restoredPayments++;
      let payment: Payment;
      try {
        payment = paymentCodec.decode(row.payment);
      } catch {
        const detail = 'the stored payment does not decode';
        const { paymentId } = row;
        this.#findings.push({ code: 'undecodable', detail, paymentId, party: station });
        continue;
      }
      const papers = await this.#shelf.papersOf(payment);
      const context = { ...this.#options, keys: this.#keys };
      this.#findings.push(
        ...auditPayment(context, row, payment, {
          ...papers,
          bill: bills[i],
          isRestored: restored[i] ?? false,
        }),
      );
      this.#useOnce(row, payment);
      const coin = coins[i];
      if (row.role === 'issuer' && row.state !== 'refused') this.#checkCoin(row, coin);
      this.#ledger.payment(row, payment, isMadeWhole(row, coin));
      this.#bill.payment(row, payment);
    }
  }

  /** I13, from what was signed, whatever the columns say. */
  #useOnce({ paymentId, state }: PaymentRow, { coin, quote }: Payment): void {
    if (state === 'refused') return;
    const { issuer, coinId } = coin.body;
    const used = this.#usedCoins.get(issuer) ?? new Set<string>();
    this.#usedCoins.set(issuer, used);
    const memory = toLatin1(coinId);
    if (used.has(memory)) {
      const detail = 'its coin pays another stored payment too';
      this.#findings.push({ code: 'coin-used-twice', detail, paymentId, party: quote.payer });
    }
    used.add(memory);
  }

  #checkCoin({ paymentId, payer }: PaymentRow, coin: CoinRecord | undefined): void {
    const party = this.#options.station;
    if (coin === undefined) {
      const detail = 'its coin is not among those that this station issued';
      this.#findings.push({ code: 'coin-unknown', detail, paymentId, party });
    } else if (coin.paymentId === undefined || !equalBytes(coin.paymentId, paymentId)) {
      const detail = `its coin is ${coin.state} and does not name this payment`;
      this.#findings.push({ code: 'coin-state', detail, paymentId, party });
    } else if (coin.owner !== payer) {
      const detail = `its coin is recorded as that of ${coin.owner}`;
      this.#findings.push({ code: 'coin-owner', detail, paymentId, party });
    }
  }
}

/** I26: burned and replaced without a verdict, or before a good one came. */
function isMadeWhole({ role, state }: PaymentRow, coin: CoinRecord | undefined): boolean {
  return (
    role === 'issuer' &&
    coin?.state === 'burned' &&
    (state === 'admitted' || state === 'relayed' || state === 'delivered')
  );
}
