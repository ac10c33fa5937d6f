import { expect, it } from 'vitest';
import { ErrandError } from '../../driver/agent/errand-error.ts';
import { unspent } from './holdings.ts';
import { onRoad, type Road } from './road.ts';

const shortLived = { stations: 2, more: '[coins]\nvalid-days = 1' } as const;
const dayAndMore = 86_400 + 60;

/** A day and a minute pass, and the station's upkeep has seen it. */
async function aDayPasses(road: Road): Promise<void> {
  road.clock.moveOn(dayAndMore);
  await road.eventually('the value is back on the account', async () => {
    road.clock.moveOn(60);
    const { balances } = await road.station('q1').books();
    return balances['coins-outstanding'] === undefined ? true : undefined;
  });
}

it(
  'S1 coins that expired while the card was away are taken off it at its next visit',
  onRoad(shortLived, async (road) => {
    const { alice } = road;
    await alice.station.topUp(alice.name, 100n);
    await alice.buy([2n, 40]);
    await alice.leave();
    await aDayPasses(road);
    expect(alice.cardState.coins).toHaveLength(40);
    await alice.comeBack();
    await road.eventually('the card is empty', () => alice.cardState.coins.length === 0);
    expect(await alice.run('balance', {})).toMatchObject({
      account: '100',
      coins: 0,
      coinsValue: '0',
      expired: { coins: 0, value: '0' },
    });
  }),
);

it(
  'S1 coins that expire while the card is at the desk are taken off it there, and buy new ones',
  onRoad(shortLived, async (road) => {
    const { alice } = road;
    await alice.station.topUp(alice.name, 100n);
    await alice.buy([road.price(), 3]);
    await aDayPasses(road);
    await road.eventually('the card is empty', () => alice.cardState.coins.length === 0);
    // A day at once looks like silence to her host, and like a card without an answer to the
    // station: either may end the connection, and she connects anew.
    const balance = await road.eventually('she is at the desk', () =>
      alice.run('balance', {}).catch((error: unknown) => {
        const endings: readonly unknown[] = ['link-lost', 'card-fault'];
        if (error instanceof ErrandError && endings.includes(error.code)) return undefined;
        throw error;
      }),
    );
    expect(balance.account).toBe('100');
    await alice.buy([road.price(), 1]);
    expect(await unspent(alice)).toEqual([road.price()]);
  }),
);
