/**
 * All coins of this station, user by user (S6a), with the payments and successors that they name.
 */
import type { UserName } from '../../applet-spec/names.ts';
import type { CoinRecord, CoinState } from '../store/store.ts';
import type { AuditedStore } from './audit.ts';
import { auditCoin, ownerFindings, type CoinAuditContext, type OwnerSums } from './coin-audit.ts';
import type { Finding } from './finding.ts';
import type { ItemisedBill } from './itemised-bill.ts';
import type { LedgerAudit } from './ledger-audit.ts';

const allStates: readonly CoinState[] = [
  'reserved',
  'loading',
  'unspent',
  'pending',
  'spent',
  'burned',
  'retiring',
  'refunded',
  'exchanged',
  'expired',
];
const pageRows = 500;

export class CoinsAudit {
  readonly #context: CoinAuditContext & { readonly store: AuditedStore };
  readonly #ledger: LedgerAudit;
  readonly #bill: ItemisedBill;
  readonly #owners = new Map<UserName, Omit<OwnerSums, 'exchangedIn'>>();
  readonly #findings: Finding[] = [];

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
    for (const { user } of await store.users()) {
      this.#owners.set(user, { exchangedOut: 0n, refunded: 0n });
      for (let after: Uint8Array | undefined; ;) {
        const page = await store.coinsOf(user, allStates, after, pageRows);
        await this.#readPage(user, page);
        const last: CoinRecord | undefined = page.at(-1);
        if (last === undefined || page.length < pageRows) break;
        after = last.coinId;
      }
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

  async #readPage(user: UserName, coins: readonly CoinRecord[]): Promise<void> {
    const { store } = this.#context;
    const none = new Uint8Array(0);
    const payments = await store.payments(coins.map(({ paymentId }) => paymentId ?? none));
    const successors = await store.replacements(coins.map(({ coinId }) => coinId));
    const predecessors = await store.coins(coins.map(({ replaces }) => replaces ?? none));
    const sums = this.#owners.get(user);
    coins.forEach((coin, i) => {
      this.#findings.push(
        ...auditCoin(this.#context, coin, {
          payment: payments[i],
          successor: successors[i],
          predecessor: predecessors[i],
        }),
      );
      if (sums !== undefined && coin.state === 'exchanged') sums.exchangedOut += coin.value;
      if (sums !== undefined && coin.state === 'refunded') sums.refunded += coin.value;
      this.#ledger.coin(coin);
      this.#bill.coin(coin);
    });
  }
}
