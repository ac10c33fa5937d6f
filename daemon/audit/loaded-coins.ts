/**
 * Coins whose rows say that they still wait for their card, where other rows tell that the card has
 * them (S1). An order's coins are loaded in the order of their IDs, so many with one command,
 * together or not at all; and only what is on the card can be given back.
 */
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { limits } from '../../applet-spec/limits.ts';
import type { HeadOfCoin } from '../store/audit-store.ts';
import type { CoinRecord, CoinState } from '../store/store.ts';
import type { AuditedStore } from './audit.ts';

type CoinSource = Pick<AuditedStore, 'coins' | 'auditedPaymentsById'>;

const loaded: ReadonlySet<CoinState> = new Set([
  'unspent',
  'pending',
  'spent',
  'burned',
  'retiring',
  'refunded',
  'exchanged',
]);

/** `made`: the coins of one order by their IDs. Undefined where their states go together. */
export async function loadingFault(
  store: CoinSource,
  made: readonly HeadOfCoin[],
): Promise<string | undefined> {
  if (!made.some(isWaiting)) return undefined;
  const restored = await restoredAmong(store, made);
  // One that neighbours brought back was taken out of its turn; an expired one tells nothing.
  const isEven = restored.size === 0 && !made.some(({ state }) => state === 'expired');
  const loadOf = (place: number): number => (isEven ? Math.floor(place / limits.loadCoins) : place);
  const isOnCard = (coin: HeadOfCoin): boolean =>
    loaded.has(coin.state) && !restored.has(toHex(coin.coinId));
  const lastDone = made.findLastIndex(isOnCard);
  const lastBegun = made.findLastIndex((coin) => coin.state === 'loading' || isOnCard(coin));
  const late = made.filter((coin, place) => {
    const last = coin.state === 'loading' ? lastDone : lastBegun;
    return isWaiting(coin) && last >= 0 && loadOf(place) <= loadOf(last);
  });
  const [first] = late;
  const witness = made[first?.state === 'loading' ? lastDone : lastBegun];
  if (first === undefined || witness === undefined) return undefined;
  const more = late.length > 1 ? ` (and ${late.length - 1} more)` : '';
  return (
    `${toHex(first.coinId)} of it is ${first.state}${more}, and ${toHex(witness.coinId)}, ` +
    `which came on the card with it or after it, is ${witness.state}`
  );
}

/** `given`, in hexadecimal: what a cancelled order was to take from its user's card. */
export async function givenFaults(
  store: CoinSource,
  user: string,
  given: readonly string[],
): Promise<readonly string[]> {
  if (given.length === 0) return [];
  const coins = await store.coins(given.map(fromHex));
  return given.flatMap((coinId, i) => {
    const coin = coins[i];
    if (coin?.owner !== user) return [`${coinId}, which it was to take, is no coin of ${user}`];
    if (!isWaiting(coin)) return [];
    return [`${coinId} is ${coin.state}, and it was to take it from the card`];
  });
}

function isWaiting({ state }: Pick<CoinRecord, 'state'>): boolean {
  return state === 'reserved' || state === 'loading';
}

/** Of these coins, those whose payment a neighbour showed, in hexadecimal. */
async function restoredAmong(
  store: CoinSource,
  coins: readonly HeadOfCoin[],
): Promise<ReadonlySet<string>> {
  const records = await store.coins(coins.map(({ coinId }) => coinId));
  const paid = records.flatMap((coin) =>
    coin?.paymentId === undefined ? [] : { coinId: coin.coinId, paymentId: coin.paymentId },
  );
  const payments = await store.auditedPaymentsById(paid.map(({ paymentId }) => paymentId));
  const restored = paid.filter((_, i) => payments[i]?.isRestored === true);
  return new Set(restored.map(({ coinId }) => toHex(coinId)));
}
