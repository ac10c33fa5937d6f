/**
 * S6 at a station: everything it stores, recomputed from signed evidence, offline and in one pass
 * over payments, transfers, coins and claims. What is kept in memory grows with what is under way
 * and with one short ID per payment, not with the evidence.
 */
import type { Certificate } from '../../applet-spec/certificate.ts';
import type { Currency, StationName } from '../../applet-spec/names.ts';
import type { Primitives } from '../../applet-spec/primitives.ts';
import { accounts } from '../ledger/chart-of-accounts.ts';
import type { AuditStore, CashMovement } from '../store/audit-store.ts';
import type { KeptList } from '../store/book-store.ts';
import type { Store } from '../store/store.ts';
import { CheckpointAudit, type DeclaredLoss } from './checkpoint-audit.ts';
import { CoinsAudit } from './coins-audit.ts';
import type { Finding } from './finding.ts';
import { ItemisedBill, type Item, type ItemFilter, type ItemisedReport } from './itemised-bill.ts';
import { LedgerAudit } from './ledger-audit.ts';
import { LogAudit } from './log-audit.ts';
import { auditOrders } from './orders-audit.ts';
import { PaymentsAudit } from './payments-audit.ts';
import { Revocations, type ListsReport } from './revocations.ts';
import { auditSettlement } from './settlements-audit.ts';
import { StationKeys } from './station-keys.ts';
import { PaperShelf } from './stored-papers.ts';
import { TransferStream } from './transfer-stream.ts';
import { auditUsers } from './users-audit.ts';
import { auditWords } from './words-audit.ts';

export type AuditedStore = AuditStore &
  Pick<
    Store,
    | 'coins'
    | 'replacements'
    | 'users'
    | 'certificate'
    | 'stationCertificates'
    | 'keptLists'
    | 'balances'
    | 'transfers'
    | 'logLeaves'
    | 'logTiles'
    | 'checkpoints'
    | 'cosigned'
    | 'witnessed'
    | 'twoLogs'
    | 'declarations'
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
  /** Of every list of revoked certificates that payments were judged by. */
  readonly onList?: (list: KeptList) => void;
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
  /** Lists of revoked certificates that payments were judged by, and whom they name. */
  readonly revocations: ListsReport;
}

const pageRows = 500;
/** Half a megabyte each at most. */
const pageLists = 16;

export async function auditStation(options: AuditOptions): Promise<AuditReport> {
  return new StationAudit(options).run();
}

class StationAudit {
  readonly #options: AuditOptions;
  readonly #keys: StationKeys;
  readonly #revocations: Revocations;
  readonly #shelf: PaperShelf;
  readonly #ledger: LedgerAudit;
  readonly #log: LogAudit;
  readonly #transfers: TransferStream;
  readonly #bill: ItemisedBill;
  readonly #findings: Finding[] = [];
  readonly #checkpoints: CheckpointAudit;

  constructor(options: AuditOptions) {
    const { station, store, filter, onItem } = options;
    this.#options = options;
    this.#keys = new StationKeys(options);
    this.#revocations = new Revocations(options);
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
    const context = { ...this.#options, keys: this.#keys, revocations: this.#revocations };
    const balances = await store.balances();
    await this.#readKeys();
    await this.#readLists();
    this.#findings.push(...(await auditUsers({ ...this.#options, shelf: this.#shelf })));
    // Orders must be known before the transfers that paid for them.
    const coins = new CoinsAudit(context, this.#ledger, this.#bill);
    await coins.read();
    this.#findings.push(...(await auditOrders(context, this.#ledger)));
    await this.#readCash();
    const payments = new PaymentsAudit({
      ...context,
      shelf: this.#shelf,
      ledger: this.#ledger,
      log: this.#log,
      bill: this.#bill,
      transfers: this.#transfers,
    });
    await payments.read();
    this.#findings.push(...payments.findings, ...(await auditWords(context)));
    await this.#transfers.rest();
    this.#findings.push(
      ...coins.finish(),
      ...(await auditSettlement(context, this.#ledger, payments.lines, balances)),
      ...(await this.#log.run(this.#ledger.lastNumber)),
    );
    const trialBalance = this.#ledger.finish(balances);
    this.#findings.push(...this.#ledger.findings);
    return {
      station,
      currency,
      findings: this.#findings,
      trialBalance,
      losses: this.#checkpoints.losses,
      restoredPayments: payments.restored,
      lostRecords: balances.get(accounts.lostRecords) ?? 0n,
      revocations: this.#revocations.report(),
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
    for (const stored of await store.auditedAnnouncements()) {
      this.#findings.push(...this.#keys.addAnnouncement(stored));
    }
  }

  async #readLists(): Promise<void> {
    const { store, onList } = this.#options;
    // Also what was moved to before the first.
    for (let after = -(2n ** 63n); ;) {
      const page = await store.keptLists(after, pageLists);
      for (const list of page) {
        this.#revocations.add(list);
        onList?.(list);
      }
      const last = page.at(-1);
      if (last === undefined) break;
      after = last.number;
    }
    this.#revocations.inForce(await store.auditedCrl());
    this.#findings.push(...this.#revocations.findings);
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
}
