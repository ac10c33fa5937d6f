import { afterEach, beforeEach, expect, it } from 'vitest';
import { Picture } from '../../../daemon/network/picture.ts';
import { UnsteadyClock } from '../unsteady-clock.ts';
import { TellingLinks } from './neighbours.ts';
import { NetworkRoom } from './network-room.ts';

let room: NetworkRoom;

beforeEach(async () => {
  room = await NetworkRoom.open();
});
afterEach(() => {
  room.close();
});

/** q1 as it looks for a way to q3, of which it knows one straight on and one over q2. */
async function triangle() {
  const directory = room.directory(await room.trust());
  const [q1, q2, q3] = [
    await room.station('q1'),
    await room.station('q2'),
    await room.station('q3'),
  ] as const;
  const links = new TellingLinks();
  links.set(q2.name);
  links.set(q3.name);
  const toBoth = (one: typeof q1, other: typeof q1) => [{ to: one.name }, { to: other.name }];
  directory.learn(room.announce(q1, 1n, toBoth(q2, q3)));
  directory.learn(room.announce(q2, 1n, toBoth(q1, q3)));
  directory.learn(room.announce(q3, 1n, toBoth(q1, q2)));
  const clock = new UnsteadyClock(room.clock);
  const picture = new Picture({ station: q1.name, directory, links, clock });
  const way = () => {
    const found = picture.route({ to: q3.name, minimumSuite: 'aes', avoid: new Set() });
    if (found.outcome === 'none') throw new Error(found.why);
    return found.route.stations.map(({ station }) => station);
  };
  return { picture, clock, way, q1, q2, q3 };
}

it('a failed link is forgotten in a minute, also where the clock is set back an hour', async () => {
  const { picture, clock, way, q1, q3 } = await triangle();
  expect(way()).toEqual(['q1', 'q3']);
  picture.linkFailed(q1.name, q3.name);
  expect(way()).toEqual(['q1', 'q2', 'q3']);
  clock.set(-3_600_000);
  expect(way()).toEqual(['q1', 'q3']);
});

it('a station that dropped a payment is gone round while there is a way', async () => {
  const { picture, clock, way, q1, q2, q3 } = await triangle();
  picture.linkFailed(q1.name, q3.name);
  picture.dropped([q2.name]);
  expect(way()).toEqual(['q1', 'q2', 'q3']);
  clock.set(61_000);
  expect(way()).toEqual(['q1', 'q3']);
  picture.linkFailed(q1.name, q3.name);
  picture.carried([q2.name]);
  picture.dropped([q3.name]);
  expect(way()).toEqual(['q1', 'q2', 'q3']);
});
