import { equalBytes, toHex } from '../../applet-spec/bytes.ts';
import type { CoinEntry } from '../../applet-spec/card-objects.ts';
import type { Coin } from '../../applet-spec/coin.ts';
import { paymentIdOf } from '../../applet-spec/payment.ts';
import { DeskError } from '../desk/desk-error.ts';
import { invalid } from '../desk/host-trust.ts';
import type { WalletOrder } from '../wallet/wallet-orders.ts';
import { granted } from './granted.ts';
import type { HomeDesk } from './home-desk.ts';
import type { Host } from './host.ts';
import { carryOutOrder } from './order.ts';
import { withdraw } from './withdraw.ts';

/**
 * After every connection: what happened while the wallet was away, what the card holds, and what
 * was asked and never answered. Orders are repeated under their old IDs (failures 2 and 4).
 */
export async function catchUp(host: Host, desk: HomeDesk): Promise<void> {
  await fetchPayments(host, desk);
  await resolvePending(host, desk);
  await matchPool(host, desk);
  for (const order of host.wallet.orders.pending()) await finishOrder(host, desk, order);
  await lapseQuotes(host, desk);
}

/** What was to be paid and has expired is not paid any more, and the card will not be told to. */
async function lapseQuotes(host: Host, { card }: HomeDesk): Promise<void> {
  const { quotes } = host.wallet;
  const nowMs = host.clock.nowMs();
  // A minute's grace: the station's clock may be that far behind.
  const seconds = BigInt(Math.floor(nowMs / 1_000)) - 60n;
  const isOver = quotes.pending().some(({ quote: { body } }) => body.expiry < seconds);
  // A card has no clock: it remembers what it may pay for as long as it has power.
  if (isOver) await withdraw(host, card);
  quotes.lapse(seconds, nowMs);
}

/**
 * The card says which coins it has; the station gives the public parts that the wallet lacks. What
 * is on the card; `unknown` are those that the station does not give either.
 */
export async function matchPool(
  host: Host,
  desk: HomeDesk,
): Promise<{ readonly onCard: readonly CoinEntry[]; readonly unknown: readonly CoinEntry[] }> {
  const onCard = await desk.card.listCoins();
  const { unknown } = host.wallet.coins.match(onCard);
  if (unknown.length === 0) return { onCard, unknown };
  for await (const coins of coinsAtStation(desk)) desk.keepCoins(coins);
  return { onCard, unknown: host.wallet.coins.match(onCard).unknown };
}

/** Page by page: those that the station believes to be unspent on the card. */
export async function* coinsAtStation(desk: HomeDesk): AsyncIterable<readonly Coin[]> {
  for (let after: Uint8Array | undefined; ;) {
    const page = granted(await desk.link.coins(after));
    yield page.coins;
    const last = page.coins.at(-1)?.body.coinId;
    if (page.more === 0) return;
    if (last === undefined || (after && toHex(last) <= toHex(after))) {
      throw invalid('pages of coins that do not go on');
    }
    after = last;
  }
}

async function fetchPayments(host: Host, desk: HomeDesk): Promise<void> {
  let since = host.wallet.requireSettings().paymentsCursor;
  for (let pages = 1; ; pages++) {
    const page = granted(await desk.link.payments(since));
    for (const record of page.records) desk.keepRecord(record);
    // A station that has rebuilt its books counts anew: it begins again, at the start and once.
    if (page.next < since && pages > 1) throw invalid('pages of payments that go back');
    if (page.more !== 0 && page.next === since) throw invalid('pages of payments that stay');
    since = page.next;
    host.wallet.savePaymentsCursor(since);
    if (page.more === 0) return;
  }
}

/** Keys on the card, and payments of the wallet, whose verdict the other side may know by now. */
async function resolvePending(host: Host, desk: HomeDesk): Promise<void> {
  const { payments } = host.wallet;
  const open = new Map(payments.undecided().map((one) => [toHex(one.paymentId), one.paymentId]));
  for (const { paymentId } of await desk.card.listPeerKeys()) {
    if (payments.find(paymentId) === undefined) open.set(toHex(paymentId), paymentId);
  }
  for (const paymentId of open.values()) {
    const answer = await desk.link.payment(paymentId);
    if (answer.outcome !== 'done') continue;
    const { record } = answer.content;
    const told = paymentIdOf(host.primitives, record.payment.transactionBytes);
    if (!equalBytes(told, paymentId)) throw invalid('another payment than was asked for');
    desk.keepRecord(record);
  }
}

async function finishOrder(host: Host, desk: HomeDesk, order: WalletOrder): Promise<void> {
  try {
    const answer = await carryOutOrder(host, desk, order);
    // What the desk refuses now is recorded with its words; the connection is none the worse.
    if (answer.outcome === 'done') await matchPool(host, desk);
  } catch (error) {
    // It stays open for the next connection, and bars nobody from this one.
    if (!(error instanceof DeskError) || error.code !== 'outcome-unknown') throw error;
  }
}
