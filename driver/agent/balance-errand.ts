import { isoTime } from '../../applet-spec/iso-time.ts';
import type { ErrandResult } from './errands.ts';
import { matchPool } from './catch-up.ts';
import { certificateEnd } from './certificate-end.ts';
import { granted } from './granted.ts';
import type { Host } from './host.ts';
import { expired, held } from './order-errands.ts';
import { ending } from './renewal.ts';

/** Account, coins and room for coins, as station and card say now. */
export async function balance(host: Host): Promise<ErrandResult<'balance'>> {
  const desk = await host.desk();
  await matchPool(host, desk);
  const account = granted(await desk.link.account());
  const { coinsCapacity } = await desk.card.applicationInfo();
  const values = held(host).map(({ coin }) => coin.body.value);
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
    denominations,
    ending: {
      coins: soon.length,
      value: sumOf(soon.map(({ value }) => value)).toString(),
      ...(first !== undefined && { first: isoTime(first.expiry) }),
    },
    ...(certificate && { certificate }),
  };
}

function sumOf(values: readonly bigint[]): bigint {
  return values.reduce((sum, value) => sum + value, 0n);
}
