/**
 * Which coins to hand back, as pure functions over the coins held: maybe more than one order takes.
 */
import type { OrderLine } from '../../applet-spec/desk-messages.ts';
import { limits } from '../../applet-spec/limits.ts';
import type { WalletCoin } from '../wallet/wallet-coins.ts';
import { HostError } from './host-error.ts';

/** Coins of exactly these denominations. Throws HostError `coins-too-few`. */
export function coinsOfLines(
  held: readonly WalletCoin[],
  lines: readonly OrderLine[],
): readonly WalletCoin[] {
  const stacks = stacksOf(held);
  const chosen: WalletCoin[] = [];
  for (const { value, count } of lines) {
    const taken = stacks.get(value)?.splice(0, count) ?? [];
    if (taken.length < count) {
      throw new HostError(
        'coins-too-few',
        `the card holds ${taken.length} coins of ${value} minor units, not ${count}`,
      );
    }
    chosen.push(...taken);
  }
  return chosen;
}

/**
 * Coins worth `total`: exactly where that can be, else the least more that single coins or the
 * largest coins together give. Throws HostError `coins-too-few`.
 */
export function coinsWorth(
  held: readonly WalletCoin[],
  total: bigint,
): { readonly given: readonly WalletCoin[]; readonly change: bigint } {
  const stacks = stacksOf(held);
  const values = [...stacks.keys()].sort((a, b) => (a < b ? 1 : -1));
  const exact = exactCounts(stacks, values, total);
  if (exact !== undefined) return { given: takeCounts(stacks, exact), change: 0n };
  const single = values.filter((value) => value > total).at(-1);
  const counts =
    single === undefined ? largestFirst(stacks, values, total) : new Map([[single, 1]]);
  const given = takeCounts(stacks, counts);
  return { given, change: worthOf(given) - total };
}

/** As one order takes them, in their order. */
export function* handfulsOf(coins: readonly WalletCoin[]): Iterable<readonly WalletCoin[]> {
  for (let first = 0; first < coins.length; first += limits.loadCoins) {
    yield coins.slice(first, first + limits.loadCoins);
  }
}

type Stacks = ReadonlyMap<bigint, WalletCoin[]>;
type Counts = ReadonlyMap<bigint, number>;

/**
 * Depth first from the largest value; a remainder that failed once at a value is not tried again.
 */
function exactCounts(stacks: Stacks, values: readonly bigint[], total: bigint): Counts | undefined {
  const failed = new Set<string>();
  const search = (
    index: number,
    rest: bigint,
    coinsLeft: number,
  ): [bigint, number][] | undefined => {
    if (rest === 0n) return [];
    const value = values[index];
    const state = `${index} ${rest} ${coinsLeft}`;
    if (value === undefined || failed.has(state) || failed.size > searchMost) return undefined;
    const fitting = rest / value;
    const most = Math.min(stacks.get(value)?.length ?? 0, coinsLeft, Number(fitting));
    for (let count = most; count >= 0; count--) {
      const found = search(index + 1, rest - value * BigInt(count), coinsLeft - count);
      if (found !== undefined) return [[value, count], ...found];
    }
    failed.add(state);
    return undefined;
  };
  const found = search(0, total, limits.loadCoins);
  return found && new Map(found);
}

/** Bounds the search where a card holds coins of hundreds of odd values. */
const searchMost = 20_000;

function largestFirst(stacks: Stacks, values: readonly bigint[], total: bigint): Counts {
  const counts = new Map<bigint, number>();
  let rest = total;
  for (const value of values) {
    const available = stacks.get(value)?.length ?? 0;
    for (let used = 0; used < available && rest > 0n; used++) {
      counts.set(value, used + 1);
      rest -= value;
    }
  }
  if (rest <= 0n) return counts;
  throw new HostError(
    'coins-too-few',
    `the coins on the card are worth ${total - rest} minor units, not ${total}`,
  );
}

function takeCounts(stacks: Stacks, counts: Counts): WalletCoin[] {
  return [...counts].flatMap(([value, count]) => stacks.get(value)?.slice(0, count) ?? []);
}

function stacksOf(held: readonly WalletCoin[]): Stacks {
  const stacks = new Map<bigint, WalletCoin[]>();
  for (const one of held) {
    const { value } = one.coin.body;
    const stack = stacks.get(value);
    if (stack === undefined) stacks.set(value, [one]);
    else stack.push(one);
  }
  return stacks;
}

export function worthOf(coins: readonly WalletCoin[]): bigint {
  return coins.reduce((sum, { coin }) => sum + coin.body.value, 0n);
}
