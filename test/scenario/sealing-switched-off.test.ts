import { expect, it } from 'vitest';
import type { Segment } from '../../emulator/demo/recorder.ts';
import { onRoad, type Road, type RoadOptions } from './road.ts';
import { unsealed, zeroBits } from './unsealed-primitives.ts';

const segments: readonly Segment[] = ['card-host', 'host-station', 'station-station'];

/**
 * A payment from coins to a message, on recorded wires, and on each kind of wire the kinds of
 * things that were seen.
 */
async function seenOnWires(road: Road): Promise<Readonly<Record<Segment, readonly string[]>>> {
  const { alice, bob } = road;
  await alice.station.topUp(alice.name, 100n);
  await alice.buy([road.price(), 3]);
  const secrets = road.needles;
  const { paymentId } = await alice.share(bob.name);
  await road.sharedCheck(paymentId);
  await bob.hears(await alice.says(bob.name, 'under the key'));
  const { recordings } = road.recorder;
  expect(new Set(recordings.map(({ segment }) => segment))).toEqual(new Set(segments));
  const found = road.leaks([...secrets, ...road.needles]);
  const kindsOn = (segment: Segment): string[] => {
    const names = found.filter((one) => one.segment === segment).map(({ needle }) => needle);
    return [...new Set(names.map((name) => name.split(' ')[0] ?? ''))].sort();
  };
  return {
    'card-host': kindsOn('card-host'),
    'host-station': kindsOn('host-station'),
    'station-station': kindsOn('station-station'),
  };
}

const recorded: RoadOptions = { cards: 'wired' };

it(
  'with sealing, no certificate, coin secret or key is seen on any wire',
  onRoad(recorded, async (road) => {
    const nothing: readonly string[] = [];
    expect(await seenOnWires(road)).toEqual({
      'card-host': nothing,
      'host-station': nothing,
      'station-station': nothing,
    });
  }),
);

it(
  'with sealing switched off from outside, the same search finds them on every kind of wire',
  onRoad({ ...recorded, primitives: unsealed, qkdBits: zeroBits }, async (road) => {
    const all = ['certificate', 'key', 'secret'];
    expect(await seenOnWires(road)).toEqual({
      'card-host': all,
      'host-station': all,
      'station-station': all,
    });
  }),
);

it(
  'with sealing switched off, a secret is seen on the links of its bill and on no other (I23)',
  onRoad(
    {
      ...{ stations: 5, topology: 'ring', users: ['alice@q1', 'bob@q3'] },
      ...{ primitives: unsealed, qkdBits: zeroBits },
    },
    async (road) => {
      const { alice } = road;
      const bob = road.user('bob@q3');
      await alice.station.topUp(alice.name, 100n);
      await alice.buy([road.price(['q1', 'q2', 'q3']), 1]);
      const secrets = road.needles;
      const { bill, paymentId } = await alice.share(bob.name);
      expect(bill.map(({ station }) => station)).toEqual(['q1', 'q2', 'q3']);
      await road.sharedCheck(paymentId, alice, bob);
      // Certificates of stations are everywhere, and users' begin like them.
      const secret = [...secrets, ...road.needles].filter(({ name }) => /^(secret|key)/.test(name));
      const found = road.leaks(secret).filter(({ segment }) => segment === 'station-station');
      const links = new Set(found.map(({ stream }) => stream));
      expect(links).toEqual(new Set(['link of q1 to q2 #1', 'link of q2 to q3 #1']));
    },
  ),
);
