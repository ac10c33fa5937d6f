import { expect, it } from 'vitest';
import { onRoad, type Road } from './road.ts';
import type { RoadStation } from './road-station.ts';

/** The list in the station's folder is of the day on which that was made. */
const days = 2 * 86_400;

async function paysAgain(road: Road): Promise<void> {
  await road.ready();
  const { alice, bob } = road;
  await Promise.all([alice, bob].map((user) => road.atDesk(user)));
  await alice.station.topUp(alice.name, 100n);
  await alice.buy([road.price(), 1]);
  const { paymentId } = await alice.share(bob.name);
  await road.sharedCheck(paymentId);
}

function withoutCaFolder(station: RoadStation): void {
  station.configure((toml) => toml.replace(/folder = "[^"]*",? ?/, ''));
}

it(
  'a station beside its CA takes the newest list from there',
  onRoad({ stations: 2 }, async (road) => {
    for (const station of road.stations) await station.stop();
    road.clock.moveOn(days);
    for (const station of road.stations) await station.start();
    expect(road.station('q1').running.status().crl?.number).toBe('2');
    await paysAgain(road);
  }),
);

it(
  'a station far from its CA starts with the list that its neighbour gave it',
  onRoad({ stations: 2 }, async (road) => {
    const q2 = road.station('q2');
    await q2.stop();
    withoutCaFolder(q2);
    expect(q2.config.ca.folder).toBeUndefined();
    await q2.start();
    await road.ready();
    for (let hour = 0; hour < 48; hour += 6) {
      road.clock.moveOn(6 * 3_600);
      await road.eventually('both stations have a fresh list', () =>
        road.stations.every(({ running }) => {
          const ends = Date.parse(running.status().crl?.nextUpdate ?? '');
          return ends > road.clock.nowMs() + 6 * 3_600_000;
        }),
      );
    }
    await q2.restart();
    await road.ready();
  }),
);

it(
  'a station without any fresh list does not start, and says where one belongs',
  onRoad({ stations: 2 }, async (road) => {
    const q2 = road.station('q2');
    await q2.stop();
    withoutCaFolder(q2);
    road.clock.moveOn(days);
    await expect(q2.start()).rejects.toMatchObject({
      code: 'certificate-not-valid',
      message: expect.stringMatching(
        /no fresh list of revoked certificates: .*; put the CA's newest one into .*crl\.der/,
      ) as string,
    });
  }),
);
