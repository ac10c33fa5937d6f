/** `keytolld enrol --replace` (failure 44) while the card is at the desk, whatever it is doing. */
import { expect, it } from 'vitest';
import { toUserName } from '../../applet-spec/names.ts';
import { systemEntropy } from '../../daemon/entropy.ts';
import { giveUpFormerCard, type GivenBack } from '../../daemon/station/former-card.ts';
import { refusalOf } from './refusal.ts';
import { onRoad, type Road } from './road.ts';
import { pin, type RoadUser } from './road-user.ts';

const noCard = new Uint8Array(16);
const words = 'This card is not served any more: another one has taken its place.';

/** As the operator's command does it, beside the running station. */
function giveUp({ name, station }: RoadUser, { clock }: Road): Promise<GivenBack> {
  return station.withStore((store) =>
    giveUpFormerCard(store, toUserName(name), noCard, {
      isGivenUp: true,
      entropy: systemEntropy,
      nowMs: clock.nowMs(),
      endVisits: () => station.running.endFrozen(),
    }),
  );
}

/** The same user with another card, and the wallet of before. */
async function withNewCard(road: Road, former: RoadUser): Promise<RoadUser> {
  await former.close();
  road.users.splice(road.users.indexOf(former), 1);
  const user = await road.enrol(former.name);
  await road.atDesk(user);
  return user;
}

async function money(user: RoadUser): Promise<bigint> {
  const { account, coinsValue } = await user.run('balance', {});
  return BigInt(account) + BigInt(coinsValue);
}

it(
  'a card that is at the desk is sent away at once, and not let in again',
  onRoad({ stations: 2 }, async (road) => {
    const { alice } = road;
    await alice.station.topUp(alice.name, 100n);
    await alice.buy([10n, 3]);
    const left = alice.next('disconnected');
    const back = await giveUp(alice, road);
    expect(back).toEqual({ coins: 3, value: 30n });
    expect((await left).reason).toMatchObject({
      code: 'desk-ended',
      deskCode: 'unknown-card',
      message: words,
    });
    expect(alice.station.running.status().usersAtDesk).toEqual([]);
    const again = await refusalOf(alice.run('connect', {}));
    expect(again).toMatchObject({ code: 'unknown-card', outcome: 'refused', words });
    const user = await withNewCard(road, alice);
    expect(await user.run('balance', {})).toMatchObject({ account: '100', coins: 0 });
  }),
);

it(
  'a card to which coins are just being loaded takes none of them along',
  onRoad({ stations: 2 }, async (road) => {
    const { alice } = road;
    await alice.station.topUp(alice.name, 1_000n);
    const begun = alice.next('coins-loaded');
    const buying = refusalOf(alice.buy([1n, 200]));
    await begun;
    const back = await giveUp(alice, road);
    expect(await buying).toMatchObject({ outcome: 'unknown' });
    const { coins } = await alice.station.withStore((s) => s.outstanding(toUserName(alice.name)));
    expect(back.coins + coins).toBe(200);
    const user = await withNewCard(road, alice);
    await road.eventually('the rest has been loaded', async () => {
      const { coins: held } = await user.run('balance', {});
      return held === coins;
    });
    expect(await money(user)).toBe(1_000n);
    user.withWallet(({ orders }) => expect(orders.pending()).toEqual([]));
  }),
);

it.each(['pay', 'retireCoins', 'eraseCoins'] as const)(
  'a card that has just carried out %s costs its owner nothing but what was paid',
  async (command) => {
    await onRoad({ stations: 2 }, async (road) => {
      const { alice, bob } = road;
      const price = road.price();
      await alice.station.topUp(alice.name, 3n * price);
      await alice.buy([price, 3]);
      const { quoteId } = await alice.quote(bob.name);
      alice.card.afterNext(command, async () => {
        await giveUp(alice, road);
      });
      const one = { lines: [{ value: String(price), count: 1 }] };
      const errand = command === 'pay' ? alice.pay(quoteId) : alice.run('refund', one);
      expect(await refusalOf(errand)).toMatchObject({ outcome: 'unknown' });
      const user = await withNewCard(road, alice);
      expect(await money(user)).toBe(3n * price);
      expect((await user.run('payments', {})).payments).toEqual([]);
      user.withWallet(({ orders }) => {
        expect(orders.pending()).toEqual([]);
      });
      await user.buy([price, 1]);
      expect(await user.share(bob.name)).toMatchObject({ standing: 'delivered' });
    })();
  },
);

it(
  'a card that is given up while it is greeted is not let in',
  onRoad({ stations: 2 }, async (road) => {
    const { alice } = road;
    await alice.leave();
    alice.startAgain();
    alice.card.afterNext('initializeUpdate', async () => {
      await giveUp(alice, road);
    });
    const refusal = await refusalOf(alice.run('connect', {}, { pin }));
    expect(refusal).toMatchObject({ code: 'unknown-card', words });
    expect(alice.station.running.status().usersAtDesk).toEqual([]);
  }),
);
