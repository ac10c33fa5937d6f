import { toHex } from '../../applet-spec/bytes.ts';
import { isoTime } from '../../applet-spec/iso-time.ts';
import type { ErrandResult } from './errands.ts';
import { matchPool } from './catch-up.ts';
import { certificateEnd } from './certificate-end.ts';
import { granted } from './granted.ts';
import type { Host } from './host.ts';
import { expired, held, nowSeconds } from './order-errands.ts';
import { poolDifferences } from './pool-differences.ts';
import { ending } from './renewal.ts';

/** Account, coins and room for coins, as station and card say now. */
export async function balance(host: Host): Promise<ErrandResult<'balance'>> {
  const desk = await host.desk();
  const pool = await matchPool(host, desk);
  const account = granted(await desk.link.account());
  const { coinsCapacity } = await desk.card.applicationInfo();
  const { coinsOutstanding } = account;
  const now = nowSeconds(host);
  const { unknown, missing } = await poolDifferences(desk, pool, coinsOutstanding, now);
  const strange = new Set(unknown.map(({ coinId }) => toHex(coinId)));
  const values = held(host).flatMap(({ coin: { body } }) =>
    strange.has(toHex(body.coinId)) ? [] : [body.value],
  );
  const certificate = certificateEnd(host, account);
  const gone = expired(host).map(({ coin }) => coin.body.value);
  const soon = ending(host).map(({ coin }) => coin.body);
  const first = soon[0];
  const counts = new Map<bigint, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  const denominations = [...counts]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([value, count]) => ({ value: value.toString(), count }));
  return {
    user: desk.home.user,
    currency: desk.home.currency,
    account: account.balance.toString(),
    coins: values.length,
    coinsValue: sumOf(values).toString(),
    coinsCapacity,
    expired: { coins: gone.length, value: sumOf(gone).toString() },
    unknown: worth(unknown),
    missing: worth(missing),
    denominations,
    ending: {
      coins: soon.length,
      value: sumOf(soon.map(({ value }) => value)).toString(),
      ...(first !== undefined && { first: isoTime(first.expiry) }),
    },
    ...(certificate && { certificate }),
  };
}

function worth(coins: readonly { readonly value: bigint }[]): { coins: number; value: string } {
  return { coins: coins.length, value: sumOf(coins.map(({ value }) => value)).toString() };
}

function sumOf(values: readonly bigint[]): bigint {
  return values.reduce((sum, value) => sum + value, 0n);
}
