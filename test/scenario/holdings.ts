import { toHex } from '../../applet-spec/bytes.ts';
import { toUserName } from '../../applet-spec/names.ts';
import type { Books } from './road-station.ts';
import type { RoadUser } from './road-user.ts';
import type { Road } from './road.ts';

interface Holding {
  /** As the card lists them: ID, value and state. */
  readonly onCard: readonly string[];
  readonly account: bigint;
  /** As the issuer's books have them. */
  readonly outstanding: { readonly coins: number; readonly value: bigint };
}

export interface Holdings {
  readonly users: Readonly<Record<string, Holding>>;
  readonly stations: Readonly<Record<string, Books>>;
}

/** Everything that can be lost: coins, money and books. Equal before and after: nothing was. */
export async function holdingsOf(road: Road): Promise<Holdings> {
  const users = await Promise.all(
    road.users.map(async (user) => [user.name, await holdingOf(user)] as const),
  );
  const stations = await Promise.all(
    road.stations.map(async (station) => [station.name, await station.books()] as const),
  );
  return { users: Object.fromEntries(users), stations: Object.fromEntries(stations) };
}

/** The values of a user's unspent coins, ascending. */
export async function unspent(user: RoadUser): Promise<bigint[]> {
  const coins = await (await user.host.verifiedCard()).listCoins();
  return coins
    .filter(({ state }) => state === 'unspent')
    .map(({ value }) => value)
    .sort((a, b) => Number(a - b));
}

async function holdingOf(user: RoadUser): Promise<Holding> {
  const coins = await (await user.host.verifiedCard()).listCoins();
  return user.station.withStore(async (store) => {
    const name = toUserName(user.name);
    return {
      onCard: coins.map(({ coinId, value, state }) => `${toHex(coinId)} ${value} ${state}`).sort(),
      account: (await store.user(name))?.balance ?? 0n,
      outstanding: await store.outstanding(name),
    };
  });
}
