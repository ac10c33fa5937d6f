/**
 * All coins of this station (S6a), in the order of making, with the payments, successors and orders
 * that they name; and what came of them by owner, for the sums that no single coin shows.
 */
import { toHex } from '../../applet-spec/bytes.ts';
import type { UserName } from '../../applet-spec/names.ts';
import type { AuditedCoin } from '../store/audit-store.ts';
import type { AuditedStore } from './audit.ts';
import { auditCoin, ownerFindings, type CoinAuditContext, type OwnerSums } from './coin-audit.ts';
import type { Finding } from './finding.ts';
import type { ItemisedBill } from './itemised-bill.ts';
import type { LedgerAudit } from './ledger-audit.ts';
import { guarded } from './row-guard.ts';

const pageRows = 500;

export class CoinsAudit {
  readonly #context: CoinAuditContext & { readonly store: AuditedStore };
  readonly #ledger: LedgerAudit;
  readonly #bill: ItemisedBill;
  readonly #owners = new Map<UserName, Omit<OwnerSums, 'exchangedIn'>>();
  readonly #findings: Finding[] = [];
  #lastNumber = 0n;

  constructor(
    context: CoinAuditContext & { readonly store: AuditedStore },
    ledger: LedgerAudit,
    bill: ItemisedBill,
  ) {
    this.#context = context;
    this.#ledger = ledger;
    this.#bill = bill;
  }

  async read(): Promise<void> {
    const { store } = this.#context;
    const users = new Set((await store.users()).map(({ user }) => user));
    for (;;) {
      const page = await store.auditedCoins(this.#lastNumber, pageRows);
      await this.#readPage(page, users);
      if (page.length < pageRows) return;
    }
  }

  /** Once the transfers have been read too. */
  finish(): readonly Finding[] {
    const unbought = this.#ledger.unbought();
    for (const [owner, sums] of this.#owners) {
      const whole = { ...sums, exchangedIn: unbought.get(owner) ?? 0n };
      this.#findings.push(...ownerFindings(owner, whole, this.#ledger.refundsOf(owner)));
    }
    return this.#findings;
  }

  async #readPage(page: readonly AuditedCoin[], users: ReadonlySet<UserName>): Promise<void> {
    const { store } = this.#context;
    const none = new Uint8Array(0);
    const payments = await store.paymentHeads(page.map(({ paymentId }) => paymentId ?? none));
    const successors = await store.replacements(page.map(({ coinId }) => coinId));
    const predecessors = await store.coins(page.map(({ replaces }) => replaces ?? none));
    page.forEach((coin, i) => {
      this.#inOrder(coin);
      if (!users.has(coin.owner)) {
        this.#find('coin-owner', coin, `its owner ${coin.owner} is no user here`);
      }
      const [payment, successor, predecessor] = [payments[i], successors[i], predecessors[i]];
      const { station: party } = this.#context;
      guarded(
        (finding) => this.#findings.push(finding),
        { what: `coin ${toHex(coin.coinId)}`, party },
        () => {
          const around = { payment, successor, predecessor };
          this.#findings.push(...auditCoin(this.#context, coin, around));
        },
      );
      this.#count(coin);
    });
  }

  #count(coin: AuditedCoin): void {
    const sums = this.#owners.get(coin.owner) ?? { exchangedOut: 0n, refunded: 0n };
    this.#owners.set(coin.owner, sums);
    if (coin.state === 'exchanged') sums.exchangedOut += coin.value;
    if (coin.state === 'refunded') sums.refunded += coin.value;
    this.#ledger.coin(coin);
    this.#bill.coin(coin);
  }

  #inOrder(coin: AuditedCoin): void {
    const { number } = coin;
    if (number !== this.#lastNumber + 1n) {
      const detail = `coins ${this.#lastNumber + 1n} to ${number - 1n} before it are not there`;
      this.#find('store-inconsistent', coin, detail);
    }
    this.#lastNumber = number;
  }

  #find(code: Finding['code'], { coinId, paymentId }: AuditedCoin, detail: string): void {
    const words = `coin ${toHex(coinId)}: ${detail}`;
    const party = this.#context.station;
    this.#findings.push({ code, detail: words, party, ...(paymentId && { paymentId }) });
  }
}
