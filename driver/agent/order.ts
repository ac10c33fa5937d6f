import { retirementDigest, retirement } from '../../applet-spec/card-objects.ts';
import { DeskError } from '../desk/desk-error.ts';
import type { DeskRefusal } from '../desk/desk-requests.ts';
import type { OrderRequest } from '../wallet/wallet-orders.ts';
import type { HomeDesk } from './home-desk.ts';
import type { Host } from './host.ts';
import { withdraw } from './withdraw.ts';

/** The order stands, and some of it is still to come. */
const unfinished: ReadonlySet<DeskRefusal['code']> = new Set(['card-fault', 'pool-full']);

export type OrderOutcome = { readonly outcome: 'done' } | DeskRefusal;

/**
 * S1: coins for money, coins for coins, money for coins. The order is in the wallet before it
 * leaves, and stays open there when the answer is lost; the station knows it again by its ID.
 * Throws DeskError: `outcome-unknown` also where the card failed on the way, or has become full.
 */
export async function carryOutOrder(
  host: Host,
  desk: HomeDesk,
  order: OrderRequest,
): Promise<OrderOutcome> {
  openOrder(host, order);
  return noteAnswer(host, desk, order, await sendOrder(host, desk, order));
}

/** Durable before it is sent. */
export function openOrder(host: Host, order: OrderRequest): void {
  host.wallet.orders.open(order, host.clock.nowMs());
}

/** DeskError `outcome-unknown` says that it may have left; whatever else is thrown, it has not. */
export async function sendOrder(
  host: Host,
  desk: HomeDesk,
  order: OrderRequest,
): Promise<OrderOutcome> {
  const given = order.retirement;
  if (given === undefined) return desk.link.buy(order.orderId, order.lines);
  const digest = retirementDigest(host.primitives, retirement.encode(given));
  await desk.card.authorise(given.operation, digest);
  return order.kind === 'refund' ? desk.link.refund(given) : desk.link.exchange(given, order.lines);
}

/** The order ends in the wallet as the station says, unless some of it is still to come. */
export async function noteAnswer(
  host: Host,
  desk: HomeDesk,
  order: OrderRequest,
  answer: OrderOutcome,
): Promise<OrderOutcome> {
  if (answer.outcome === 'done') {
    host.wallet.orders.end(order.orderId, 'done');
    return answer;
  }
  if (unfinished.has(answer.code)) throw new DeskError('outcome-unknown', answer.message);
  host.wallet.orders.end(order.orderId, 'refused', answer.message);
  if (order.retirement !== undefined) await withdraw(host, desk.card);
  return answer;
}
