/**
 * The itemised bill (S6): what each payment, station, user and month came to, for (a) issuing and
 * (b) relaying.
 */
import { toHex } from '../../applet-spec/bytes.ts';
import { isoTime } from '../../applet-spec/iso-time.ts';
import type { StationName } from '../../applet-spec/names.ts';
import type { Payment } from '../../applet-spec/payment.ts';
import type { CoinRecord, PaymentRow } from '../store/store.ts';

/** Which payments are itemised; everything is audited all the same. */
export interface ItemFilter {
  /** Payer or payee. */
  readonly user?: string;
  /** With whom it is settled: the issuer, or a station whose line this station owes. */
  readonly peer?: string;
  /** Anywhere on the bill. */
  readonly station?: string;
  /** Between issuer and last station. */
  readonly relay?: string;
  /** Unix seconds of the quote's time, both included. */
  readonly from?: bigint;
  readonly to?: bigint;
}

export interface Item {
  readonly paymentId: string;
  /** ISO 8601, of the quote. */
  readonly time: string;
  readonly role: PaymentRow['role'];
  readonly state: PaymentRow['state'];
  readonly payer: string;
  readonly payee: string;
  /** In hexadecimal: which of its issuer's coins paid. */
  readonly coinId: string;
  readonly value: string;
  readonly bill: readonly { readonly station: string; readonly fee: string }[];
  /** This station's own line. */
  readonly fee: string;
}

/** Payments carried and delivered, and what this station earned and owes by them. */
export interface Tally {
  payments: number;
  delivered: number;
  earned: bigint;
  owed: bigint;
}

/** What one station charged on the bills seen here, whoever owes it. */
export interface StationTallyReport {
  readonly payments: number;
  readonly delivered: number;
  readonly fees: string;
}

export interface TallyReport {
  readonly payments: number;
  readonly delivered: number;
  readonly earned: string;
  readonly owed: string;
}

export class ItemisedBill {
  readonly #station: StationName;
  readonly #filter: ItemFilter;
  readonly #onItem: (item: Item) => void;
  readonly #peers = new Map<string, Tally>();
  readonly #users = new Map<string, Tally>();
  readonly #stations = new Map<string, Tally>();
  readonly #periods = new Map<string, Tally>();
  readonly #issued = emptyTally();
  readonly #relayed = emptyTally();
  readonly #coins = new Map<string, { count: number; value: bigint }>();
  #items = 0;

  constructor(station: StationName, filter: ItemFilter, onItem: (item: Item) => void) {
    this.#station = station;
    this.#filter = filter;
    this.#onItem = onItem;
  }

  payment(row: PaymentRow, payment: Payment): void {
    const { quote } = payment;
    if (!this.#wanted(payment)) return;
    this.#items += 1;
    const delivered = row.state === 'delivered';
    const own = quote.bill.find(({ station }) => station === this.#station)?.fee ?? 0n;
    const others = quote.bill.filter(({ station }) => station !== this.#station);
    const issuing = row.role === 'issuer';
    const owed = issuing && delivered ? others.reduce((sum, { fee }) => sum + fee, 0n) : 0n;
    const whole = { delivered, earned: delivered ? own : 0n, owed };
    count(issuing ? this.#issued : this.#relayed, whole);
    count(tallyOf(this.#periods, monthOf(quote.time)), whole);
    for (const { station, fee } of quote.bill) {
      const charged = { delivered, earned: delivered ? fee : 0n, owed: 0n };
      count(tallyOf(this.#stations, station), charged);
    }
    for (const user of [quote.payer, quote.payee]) {
      if (user.endsWith(`@${this.#station}`)) count(tallyOf(this.#users, user), whole);
    }
    if (issuing) {
      for (const { station, fee } of others) {
        count(tallyOf(this.#peers, station), { delivered, earned: 0n, owed: delivered ? fee : 0n });
      }
    } else {
      count(tallyOf(this.#peers, payment.coin.body.issuer), whole);
    }
    this.#onItem(itemOf(row, payment, own));
  }

  coin({ state, value }: CoinRecord): void {
    const sum = this.#coins.get(state) ?? { count: 0, value: 0n };
    sum.count += 1;
    sum.value += value;
    this.#coins.set(state, sum);
  }

  report() {
    const coins = [...this.#coins].map(
      ([state, { count: coinCount, value }]) =>
        [state, { count: coinCount, value: `${value}` }] as const,
    );
    return {
      payments: this.#items,
      issued: { ...tallyReport(this.#issued), coins: Object.fromEntries(coins) },
      relayed: tallyReport(this.#relayed),
      byPeer: tallyReports(this.#peers),
      byStation: Object.fromEntries(
        Object.entries(tallyReports(this.#stations)).map(([name, tally]) => {
          const { payments, delivered, earned: fees } = tally;
          return [name, { payments, delivered, fees } satisfies StationTallyReport];
        }),
      ),
      byUser: tallyReports(this.#users),
      byPeriod: tallyReports(this.#periods),
    };
  }

  #wanted({ quote }: Payment): boolean {
    const { user, peer, station, relay, from, to } = this.#filter;
    const route = quote.bill.map((line) => line.station);
    const peers = route[0] === this.#station ? route.slice(1) : route.slice(0, 1);
    return (
      (user === undefined || quote.payer === user || quote.payee === user) &&
      (peer === undefined || peers.some((one) => one === peer)) &&
      (station === undefined || route.some((one) => one === station)) &&
      (relay === undefined || route.slice(1, -1).some((one) => one === relay)) &&
      (from === undefined || quote.time >= from) &&
      (to === undefined || quote.time <= to)
    );
  }
}

export type ItemisedReport = ReturnType<ItemisedBill['report']>;

function itemOf(row: PaymentRow, { quote, coin }: Payment, own: bigint): Item {
  return {
    paymentId: toHex(row.paymentId),
    time: isoTime(quote.time),
    role: row.role,
    state: row.state,
    payer: quote.payer,
    payee: quote.payee,
    coinId: toHex(coin.body.coinId),
    value: `${coin.body.value}`,
    bill: quote.bill.map(({ station, fee }) => ({ station, fee: `${fee}` })),
    fee: `${own}`,
  };
}

function emptyTally(): Tally {
  return { payments: 0, delivered: 0, earned: 0n, owed: 0n };
}

function tallyOf(tallies: Map<string, Tally>, name: string): Tally {
  const known = tallies.get(name);
  if (known !== undefined) return known;
  const tally = emptyTally();
  tallies.set(name, tally);
  return tally;
}

function count(
  tally: Tally,
  {
    delivered,
    earned,
    owed,
  }: { readonly delivered: boolean; readonly earned: bigint; readonly owed: bigint },
): void {
  tally.payments += 1;
  if (delivered) tally.delivered += 1;
  tally.earned += earned;
  tally.owed += owed;
}

function tallyReport({ payments, delivered, earned, owed }: Tally): TallyReport {
  return { payments, delivered, earned: `${earned}`, owed: `${owed}` };
}

function tallyReports(tallies: ReadonlyMap<string, Tally>): Readonly<Record<string, TallyReport>> {
  const sorted = [...tallies].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, tally]) => [name, tallyReport(tally)]));
}

/** `2026-07` in UTC. */
function monthOf(seconds: bigint): string {
  return isoTime(seconds).slice(0, 7);
}
