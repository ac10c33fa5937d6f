import { expect, it } from 'vitest';
import { unspent } from './holdings.ts';
import { onRoad } from './road.ts';
import type { Topology } from './road-plan.ts';

const ways: readonly (readonly [Topology, string, string, readonly string[]])[] = [
  ['ring', 'q2', 'q3', ['q1', 'q5', 'q4', 'q3']],
  ['mesh', 'q1', 'q3', ['q1', 'q2', 'q3']],
];

it.each(ways)(
  'in a %s, between %s and %s: payments take the other way, and no coin is lost',
  async (topology, from, to, other) => {
    const users = ['alice@q1', 'bob@q3'];
    await onRoad({ stations: 5, topology, users }, async (road) => {
      const { alice } = road;
      const bob = road.user('bob@q3');
      const route = async (): Promise<string[]> =>
        (await alice.quote(bob.name)).bill.map(({ station }) => station);
      await alice.station.topUp(alice.name, 10_000n);
      const first = await route();
      await alice.buy([road.price(first), 2], [road.price(other), 1]);
      await road.sharedCheck((await alice.share(bob.name)).paymentId, alice, bob);

      await road.cutFibre(from, to);
      // The very next quote already leads another way, whether or not anybody has announced it.
      expect(await route()).toEqual(other);
      await road.sharedCheck((await alice.share(bob.name)).paymentId, alice, bob);
      expect(await unspent(alice)).toEqual([road.price(first)]);

      await road.mendFibre(from, to);
      await road.ready();
      expect(await route()).toEqual(first);
      await road.sharedCheck((await alice.share(bob.name)).paymentId, alice, bob);
      expect(await unspent(alice)).toEqual([]);
      for (const station of road.stations) await station.books();
    })();
  },
);

it(
  'and the network falls into two: nothing leads across, both halves work, and they heal',
  onRoad({ stations: 4, users: ['alice@q1', 'bob@q4', 'carol@q2', 'dan@q3'] }, async (road) => {
    const { alice, bob } = road;
    const [carol, dan] = [road.user('carol@q2'), road.user('dan@q3')];
    for (const payer of [alice, dan]) {
      await payer.station.topUp(payer.name, 1_000n);
      await payer.buy([road.price(['q1', 'q2']), 1], [road.price(['q3', 'q4']), 1]);
    }
    await road.cutFibre('q2', 'q3');
    await expect(alice.quote(bob.name)).rejects.toMatchObject({ code: 'no-route' });
    await road.sharedCheck((await alice.share(carol.name)).paymentId, alice, carol);
    await road.sharedCheck((await dan.share(bob.name)).paymentId, dan, bob);
    await road.mendFibre('q2', 'q3');
    await road.ready();
    await alice.buy([road.price(), 1]);
    await road.sharedCheck((await alice.share(bob.name)).paymentId);
  }),
);
