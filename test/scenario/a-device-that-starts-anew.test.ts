import { expect, it } from 'vitest';
import { onRoad } from './road.ts';

it(
  'without the keys that it had made: payments go on over its link',
  onRoad({}, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 100n);
    await alice.buy([road.price(), 4]);
    await road.sharedCheck((await alice.share(bob.name)).paymentId);
    road.device('q1', 'q2').loseKeys();
    // What was drawn before is of no use at the other end, and given up.
    await road.sharedCheck((await alice.share(bob.name)).paymentId);
    const link = road
      .station('q1')
      .running.status()
      .links.find(({ peer }) => peer === 'q2');
    expect(link).toMatchObject({ state: 'up', availableBits: '0' });
    for (let i = 0; i < 2; i++) {
      road.clock.moveOn(40);
      await road.ready();
      await road.sharedCheck((await alice.share(bob.name)).paymentId);
    }
  }),
);
