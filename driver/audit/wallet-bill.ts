/**
 * The user's own itemised bill (S6): what each payment, station, peer and month cost, without a
 * server.
 */
import { toHex } from '../../applet-spec/bytes.ts';
import { isoTime } from '../../applet-spec/iso-time.ts';
import { billTotal } from '../../applet-spec/quote.ts';
import type { WalletPayment } from '../wallet/wallet-payments.ts';

export interface BillItem {
  readonly paymentId: string;
  /** ISO 8601, of the quote. */
  readonly time: string;
  readonly role: WalletPayment['role'];
  readonly standing: WalletPayment['standing'];
  readonly peer: string;
  readonly total: string;
  readonly bill: readonly { readonly station: string; readonly fee: string }[];
}

/** Which payments are itemised; everything is audited all the same. */
export interface BillFilter {
  /** The other user. */
  readonly peer?: string;
  /** Anywhere on the bill. */
  readonly station?: string;
  /** Between the first and the last station. */
  readonly relay?: string;
  /** Unix seconds of the quote's time, both included. */
  readonly from?: bigint;
  readonly to?: bigint;
}

export interface BillTally {
  readonly payments: number;
  readonly amount: string;
}

interface Sum {
  payments: number;
  amount: bigint;
}

export class WalletBill {
  readonly #filter: BillFilter;
  readonly #items: BillItem[] = [];
  readonly #paid: Sum = { payments: 0, amount: 0n };
  readonly #stations = new Map<string, Sum>();
  readonly #peers = new Map<string, Sum>();
  readonly #periods = new Map<string, Sum>();

  constructor(filter: BillFilter) {
    this.#filter = filter;
  }

  /** Amounts count where this user paid and got the key. */
  add({ paymentId, role, standing, payment }: WalletPayment): void {
    const { quote } = payment;
    const total = billTotal(quote.bill);
    const peer = role === 'payer' ? quote.payee : quote.payer;
    if (!this.#wanted(quote, peer)) return;
    const time = isoTime(quote.time);
    this.#items.push({
      paymentId: toHex(paymentId),
      time,
      role,
      standing,
      peer,
      total: total.toString(),
      bill: quote.bill.map(({ station, fee }) => ({ station, fee: fee.toString() })),
    });
    if (role !== 'payer' || standing !== 'delivered') return;
    addTo(this.#paid, total);
    addTo(sumOf(this.#peers, peer), total);
    addTo(sumOf(this.#periods, time.slice(0, 7)), total);
    for (const { station, fee } of quote.bill) addTo(sumOf(this.#stations, station), fee);
  }

  #wanted({ bill, time }: WalletPayment['payment']['quote'], other: string): boolean {
    const { peer, station, relay, from, to } = this.#filter;
    const route = bill.map((line) => line.station);
    return (
      (peer === undefined || other === peer) &&
      (station === undefined || route.some((one) => one === station)) &&
      (relay === undefined || route.slice(1, -1).some((one) => one === relay)) &&
      (from === undefined || time >= from) &&
      (to === undefined || time <= to)
    );
  }

  report() {
    return {
      payments: this.#items.length,
      paid: tally(this.#paid),
      byStation: tallies(this.#stations),
      byPeer: tallies(this.#peers),
      byPeriod: tallies(this.#periods),
      items: this.#items,
    };
  }
}

export type WalletBillReport = ReturnType<WalletBill['report']>;

function sumOf(sums: Map<string, Sum>, name: string): Sum {
  const known = sums.get(name);
  if (known !== undefined) return known;
  const sum = { payments: 0, amount: 0n };
  sums.set(name, sum);
  return sum;
}

function addTo(sum: Sum, amount: bigint): void {
  sum.payments += 1;
  sum.amount += amount;
}

function tally({ payments, amount }: Sum): BillTally {
  return { payments, amount: amount.toString() };
}

function tallies(sums: ReadonlyMap<string, Sum>): Readonly<Record<string, BillTally>> {
  const sorted = [...sums].sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(sorted.map(([name, sum]) => [name, tally(sum)]));
}
