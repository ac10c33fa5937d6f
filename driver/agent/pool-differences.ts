/** Where card, station and wallet do not tell the same of the coins on the card. */
import { toHex } from '../../applet-spec/bytes.ts';
import type { CoinEntry } from '../../applet-spec/card-objects.ts';
import type { CoinBody } from '../../applet-spec/coin.ts';
import { coinsAtStation } from './catch-up.ts';
import type { HomeDesk } from './home-desk.ts';

interface Pool {
  readonly onCard: readonly CoinEntry[];
  /** On the card, and neither wallet nor station has their public parts. */
  readonly unknown: readonly CoinEntry[];
}

export interface PoolDifferences {
  /** Unspent on the card, and the station counts them no more: they pay nothing. */
  readonly unknown: readonly CoinEntry[];
  /** Unspent on the card for the station, and not there. */
  readonly missing: readonly CoinBody[];
}

/**
 * `outstanding`: how many coins the station counts as this user's, but for those that have paid.
 * Only where that is not what the card holds are its coins asked for. Of those that have ended
 * nothing is said: their value is on its way to the account.
 */
export async function poolDifferences(
  desk: HomeDesk,
  { onCard, unknown }: Pool,
  outstanding: bigint,
  nowSeconds: bigint,
): Promise<PoolDifferences> {
  const unsigned = onCard.filter(({ state }) => state !== 'signed');
  if (unknown.length === 0 && outstanding === BigInt(unsigned.length)) {
    return { unknown: [], missing: [] };
  }
  const present = new Set(onCard.map(({ coinId }) => toHex(coinId)));
  const counted = new Set<string>();
  const missing: CoinBody[] = [];
  for await (const page of coinsAtStation(desk)) {
    for (const { body } of page) {
      counted.add(toHex(body.coinId));
      if (!present.has(toHex(body.coinId)) && body.expiry > nowSeconds) missing.push(body);
    }
  }
  return {
    unknown: onCard.filter(
      ({ coinId, state, expiry }) =>
        state === 'unspent' && expiry > nowSeconds && !counted.has(toHex(coinId)),
    ),
    missing,
  };
}
