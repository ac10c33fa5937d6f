/**
 * Coins near their end are exchanged for new ones of the same values (failure 36): what ends on the
 * card is money again and lost to nobody, but pays nothing until coins are bought anew.
 */
import { coinIssuedSeconds, type CoinBody } from '../../applet-spec/coin.ts';
import type { OrderLine } from '../../applet-spec/desk-messages.ts';
import { limits } from '../../applet-spec/limits.ts';
import type { WalletCoin } from '../wallet/wallet-coins.ts';
import { toErrandError, toPartlyDone, type ErrandError } from './errand-error.ts';
import type { ErrandParams, ErrandResult } from './errands.ts';
import type { HomeDesk } from './home-desk.ts';
import type { Host } from './host.ts';
import { exchangeCoins, held, nowSeconds } from './order-errands.ts';

/** Where nobody says otherwise. */
export const usualDays = 30;
const daySeconds = 86_400n;
/** Where coins live for months or less, not all of their time is a time near their end. */
const lifeShare = 4n;
/** What ends as soon as this may have ended by the station's clock: it becomes money by itself. */
const tooLateSeconds = 300n;
/** How often an agent that stays connected looks. */
const everyMs = 3_600_000;

/** What is near its end on the card, the first to end first; or what ends within so many days. */
export function ending(host: Host, withinDays?: number): readonly WalletCoin[] {
  const now = nowSeconds(host);
  const usual = BigInt(host.renewDays === 0 ? usualDays : host.renewDays) * daySeconds;
  const marginOf = (body: CoinBody): bigint =>
    withinDays === undefined
      ? least(usual, lifeOf(body) / lifeShare)
      : BigInt(withinDays) * daySeconds;
  return held(host)
    .filter(({ coin: { body } }) => body.expiry - now < marginOf(body))
    .sort((a, b) => Number(a.coin.body.expiry - b.coin.body.expiry));
}

/** Coins of the same values for those. */
export function renew(
  host: Host,
  { withinDays }: ErrandParams<'renew'>,
): Promise<ErrandResult<'renew'>> {
  return host.inTurn(async () => {
    const { failure, ...result } = await renewEnding(host, await host.desk(), withinDays);
    if (failure === undefined) return result;
    const { coins, left } = result;
    if (coins === 0) throw failure;
    const done = `${coins} of ${coins + left} coins were exchanged for new ones`;
    throw toPartlyDone(failure, done, `the other ${left} were not`);
  });
}

/**
 * The same unasked, where the user wants that. That no exchange comes about fails nothing else: it
 * is told to whoever watches, and tried again.
 */
export async function renewUnasked(host: Host): Promise<void> {
  if (host.renewDays === 0) return;
  await host.inTurn(async () => {
    const desk = await host.desk();
    const { failure } = await renewEnding(host, desk);
    if (failure === undefined) return;
    host.tell({ kind: 'renewal-failed', failure });
    if (failure.failure.outcome !== 'unknown' && failure.code !== 'link-lost') return;
    // The next connection asks again, and whatever comes behind this is given that one.
    desk.close();
    await desk.closed;
  });
}

/** At every connection and once an hour, as long as it stands. */
export function keepRenewing(host: Host): { stop(): void } {
  let cancel: () => void = () => undefined;
  const attempt = (): void => {
    cancel = host.clock.after(everyMs, attempt);
    // Without a connection there is none to be had: whoever keeps it says why.
    renewUnasked(host).catch(() => undefined);
  };
  const forget = host.watch(({ kind }) => {
    if (kind === 'connected' || kind === 'disconnected') cancel();
    if (kind === 'connected') attempt();
  });
  return {
    stop: () => {
      forget();
      cancel();
    },
  };
}

/**
 * In as many orders as it takes. Each is in the wallet before it leaves; one that is cut off is
 * asked again at the next connection, and nothing is begun beside it.
 */
async function renewEnding(
  host: Host,
  desk: HomeDesk,
  withinDays?: number,
): Promise<ErrandResult<'renew'> & { readonly failure?: ErrandError }> {
  const { currency } = desk.home;
  const found = ending(host, withinDays);
  const isBusy = host.wallet.orders.pending().length > 0;
  const latest = nowSeconds(host) + tooLateSeconds;
  const isInTime = ({ coin }: WalletCoin): boolean => coin.body.expiry > latest;
  let coins = 0;
  let value = 0n;
  let failure: ErrandError | undefined;
  try {
    for (const given of isBusy ? [] : batchesOf(found.filter(isInTime))) {
      await exchangeCoins(host, desk, given, linesOf(given));
      coins += given.length;
      value += sumOf(given);
    }
  } catch (error) {
    failure = toErrandError(error);
  }
  if (coins > 0) host.tell({ kind: 'coins-renewed', coins, value, currency });
  const result = { coins, value: value.toString(), currency, left: found.length - coins };
  return { ...result, ...(failure && { failure }) };
}

/** As one order takes them: so many coins, of so many values. */
function batchesOf(found: readonly WalletCoin[]): WalletCoin[][] {
  const batches: WalletCoin[][] = [];
  let batch: WalletCoin[] = [];
  for (const one of found) {
    const lines = linesOf([...batch, one]).length;
    if (batch.length === limits.loadCoins || lines > limits.orderLines) {
      batches.push(batch);
      batch = [];
    }
    batch.push(one);
  }
  return batch.length === 0 ? batches : [...batches, batch];
}

function linesOf(coins: readonly WalletCoin[]): OrderLine[] {
  const counts = new Map<bigint, number>();
  for (const { coin } of coins) {
    counts.set(coin.body.value, (counts.get(coin.body.value) ?? 0) + 1);
  }
  return [...counts].map(([value, count]) => ({ value, count }));
}

function lifeOf({ coinId, expiry }: CoinBody): bigint {
  return expiry - coinIssuedSeconds(coinId);
}

function sumOf(coins: readonly WalletCoin[]): bigint {
  return coins.reduce((sum, { coin }) => sum + coin.body.value, 0n);
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
