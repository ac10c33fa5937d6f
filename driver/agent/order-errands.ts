import { toHex } from '../../applet-spec/bytes.ts';
import { counted } from '../../applet-spec/counted.ts';
import type { Retirement } from '../../applet-spec/card-objects.ts';
import { limits } from '../../applet-spec/limits.ts';
import type { OrderLine } from '../../applet-spec/desk-messages.ts';
import { DeskError } from '../desk/desk-error.ts';
import { checkOrdered } from '../desk/record-check.ts';
import type { WalletCoin } from '../wallet/wallet-coins.ts';
import { WalletError } from '../wallet/wallet-error.ts';
import type { OrderRequest } from '../wallet/wallet-orders.ts';
import { matchPool } from './catch-up.ts';
import { coinsOfLines, coinsWorth, handfulsOf, worthOf } from './coin-choice.ts';
import { toErrandError, toPartlyDone, toUnknownOutcome, type ErrandError } from './errand-error.ts';
import type { ErrandParams, ErrandProgress, ErrandResult } from './errands.ts';
import { granted } from './granted.ts';
import type { HomeDesk } from './home-desk.ts';
import type { Host } from './host.ts';
import { HostError } from './host-error.ts';
import { noteAnswer, openOrder, sendOrder, type OrderOutcome } from './order.ts';

type Progress = (progress: ErrandProgress) => void;
const orderIdBytes = 16;
const moneyMost = 2n ** 64n - 1n;

/** S1: coins for money from the account. */
export function buy(
  host: Host,
  params: ErrandParams<'buy'>,
  onProgress: Progress,
): Promise<ErrandResult<'buy'>> {
  return host.inTurn(async () => {
    const desk = await host.desk();
    const orderId = host.entropy.randomBytes(orderIdBytes);
    const lines = toLines(params.lines);
    await requireRoom(desk, countOf(lines));
    return placeOrder(host, desk, { orderId, kind: 'buy', lines }, onProgress);
  });
}

/**
 * Coins for coins of the same sum; what the coins given exceed the wish by comes back as one more
 * coin.
 */
export function exchange(
  host: Host,
  params: ErrandParams<'exchange'>,
  onProgress: Progress,
): Promise<ErrandResult<'exchange'>> {
  return host.inTurn(async () => {
    const desk = await host.desk();
    const afterPart: AfterPart = (error, done) =>
      toPartlyDone(error, done, 'the coins asked for were not made');
    return exchangeFor(host, desk, toLines(params.lines), afterPart, onProgress);
  });
}

/** What to say where orders before the one that failed were carried out. */
type AfterPart = (error: unknown, done: string) => ErrandError;

/**
 * For callers that have their turn already. Of more small coins than one order takes some become
 * one large one first, in orders of their own: cut off between, these leave coins of the same sum.
 */
export async function exchangeFor(
  host: Host,
  desk: HomeDesk,
  wanted: readonly OrderLine[],
  afterPart: AfterPart,
  onProgress: Progress = () => undefined,
): Promise<ErrandResult<'exchange'>> {
  const total = sumOf(wanted);
  const found = coinsWorth(held(host), total);
  const lines = linesWith(wanted, found.change);
  await requireRoom(desk, countOf(lines) - found.given.length);
  let joined = 0;
  let orders = 0;
  let isLast = false;
  try {
    for (;;) {
      const { given, change } = coinsWorth(held(host), total);
      const [some = [], ...others] = handfulsOf(given);
      isLast = others.length === 0;
      if (isLast) {
        return await exchangeCoins(host, desk, given, linesWith(wanted, change), onProgress);
      }
      await exchangeCoins(host, desk, some, [{ value: worthOf(some), count: 1 }]);
      joined += some.length;
      orders += 1;
    }
  } catch (error) {
    if (orders === 0 && (isLast || !isUnknown(error))) throw error;
    const larger = counted(orders, 'larger coin');
    throw afterPart(error, `${joined} coins became ${larger} of the same sum`);
  }
}

/** What the coins given are worth beyond the wish is one more coin. */
function linesWith(wanted: readonly OrderLine[], change: bigint): readonly OrderLine[] {
  const lines = change === 0n ? wanted : [...wanted, { value: change, count: 1 }];
  if (lines.length <= limits.orderLines) return lines;
  throw new HostError('bad-params', `an exchange has at most ${limits.orderLines} lines`);
}

/** These coins for new ones of the same sum, for callers that have their turn and the room. */
export function exchangeCoins(
  host: Host,
  desk: HomeDesk,
  given: readonly WalletCoin[],
  lines: readonly OrderLine[],
  onProgress: Progress = () => undefined,
): Promise<ErrandResult<'exchange'>> {
  const retirement = retire(host, 'exchange', given);
  const order = { orderId: retirement.orderId, kind: 'exchange', lines, retirement } as const;
  return placeOrder(host, desk, order, onProgress);
}

/** S1 refund: money for coins of the denominations named, in as many orders as it takes. */
export function refund(
  host: Host,
  params: ErrandParams<'refund'>,
): Promise<ErrandResult<'refund'>> {
  return host.inTurn(async () => {
    const desk = await host.desk();
    const given = coinsOfLines(held(host), toLines(params.lines));
    let result: ErrandResult<'refund'> | undefined;
    let coins = 0;
    for (const some of handfulsOf(given)) {
      const retirement = retire(host, 'refund', some);
      const order = { orderId: retirement.orderId, kind: 'refund', lines: [], retirement } as const;
      try {
        result = await placeOrder(host, desk, order, () => undefined);
      } catch (error) {
        const isWhole = some.length === given.length;
        if (coins === 0 && (isWhole || !isUnknown(error))) throw error;
        const done = `${coins} of ${given.length} coins were given back`;
        throw toPartlyDone(error, done, `the other ${given.length - coins} were not`);
      }
      coins += some.length;
    }
    if (result === undefined) throw new HostError('bad-params', 'no coins are named');
    return { ...result, coins, value: worthOf(given).toString() };
  });
}

/** Unspent coins on the card that have not expired. */
export function held(host: Host): readonly WalletCoin[] {
  return unspent(host).filter(({ coin }) => coin.body.expiry > nowSeconds(host));
}

/** Unspent coins on the card that buy nothing any more: the station takes them off. */
export function expired(host: Host): readonly WalletCoin[] {
  return unspent(host).filter(({ coin }) => coin.body.expiry <= nowSeconds(host));
}

function unspent(host: Host): readonly WalletCoin[] {
  return host.wallet.coins.onCard().filter(({ state }) => state === 'held');
}

export function nowSeconds({ clock }: Host): bigint {
  return BigInt(Math.floor(clock.nowMs() / 1_000));
}

async function placeOrder(
  host: Host,
  desk: HomeDesk,
  order: OrderRequest,
  onProgress: Progress,
): Promise<ErrandResult<'buy'>> {
  const orderName = toHex(order.orderId);
  const forget = host.watch((event) => {
    if (event.kind !== 'coins-loaded' || toHex(event.orderId) !== orderName) return;
    onProgress({ loaded: Number(event.loaded), of: Number(event.of) });
  });
  try {
    openOrder(host, order);
    const answer = await noted(host, desk, order, await sent(host, desk, order));
    if (answer.outcome === 'refused') {
      throw new HostError('desk-refused', answer.message, answer.code);
    }
  } finally {
    forget();
  }
  try {
    return await describeOrder(host, desk, order);
  } catch (error) {
    throw toUnknownOutcome(error, 'the order was carried out');
  }
}

/** One that never left: nobody hears of it again, nor is it carried out behind anybody's back. */
async function sent(host: Host, desk: HomeDesk, order: OrderRequest): Promise<OrderOutcome> {
  try {
    return await sendOrder(host, desk, order);
  } catch (error) {
    if (error instanceof DeskError && error.code === 'outcome-unknown') throw error;
    try {
      host.wallet.orders.end(order.orderId, 'refused', 'it was never sent');
    } catch (fault) {
      throw toUnknownOutcome(fault, 'the order has not left and stays for the next connection');
    }
    throw error;
  }
}

/** What the wallet cannot note stays open there: the next connection asks again (failure 4). */
async function noted(
  host: Host,
  desk: HomeDesk,
  order: OrderRequest,
  answer: OrderOutcome,
): Promise<OrderOutcome> {
  try {
    return await noteAnswer(host, desk, order, answer);
  } catch (error) {
    if (!(error instanceof WalletError)) throw error;
    const said = answer.outcome === 'done' ? 'the order was carried out' : answer.message;
    throw toUnknownOutcome(error, said);
  }
}

async function describeOrder(
  host: Host,
  desk: HomeDesk,
  { orderId, lines }: OrderRequest,
): Promise<ErrandResult<'buy'>> {
  await matchPool(host, desk);
  const { balance, currency } = granted(await desk.link.account());
  const coins = host.wallet.coins.ofOrder(orderId);
  checkOrdered(coins, lines);
  const value = coins.reduce((sum, coin) => sum + coin.body.value, 0n);
  return {
    orderId: toHex(orderId),
    coins: coins.length,
    value: value.toString(),
    currency,
    balance: balance.toString(),
  };
}

function retire(
  host: Host,
  operation: Retirement['operation'],
  given: readonly WalletCoin[],
): Retirement {
  const orderId = host.entropy.randomBytes(orderIdBytes);
  return { orderId, operation, coinIds: given.map(({ coin }) => coin.body.coinId) };
}

function toLines(
  lines: readonly { readonly value: string; readonly count: number }[],
): OrderLine[] {
  const read = lines.map(({ value, count }) => ({ value: BigInt(value), count }));
  if (countOf(read) > limits.orderCoins) {
    throw new HostError('bad-params', `an order is for at most ${limits.orderCoins} coins`);
  }
  if (read.some((line) => line.value === 0n || line.value > moneyMost)) {
    throw new HostError('bad-params', 'a coin is worth 1 to 2^64 - 1 minor units');
  }
  return read;
}

function isUnknown(error: unknown): boolean {
  return toErrandError(error).outcome === 'unknown';
}

function countOf(lines: readonly OrderLine[]): number {
  return lines.reduce((sum, { count }) => sum + count, 0);
}

/** Asked before anything is paid: what does not fit would wait at the station. */
async function requireRoom({ card }: HomeDesk, added: number): Promise<void> {
  const { coins, coinsCapacity } = await card.applicationInfo();
  const room = coinsCapacity - coins;
  if (added <= room) return;
  throw new HostError(
    'card-full',
    `the card has room for ${room} more coins, not for ${added}; nothing was ordered`,
  );
}

function sumOf(lines: readonly OrderLine[]): bigint {
  return lines.reduce((sum, { value, count }) => sum + value * BigInt(count), 0n);
}
