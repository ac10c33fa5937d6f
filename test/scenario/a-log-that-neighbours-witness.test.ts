import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { copyDatabase } from '../../daemon/store/connection.ts';
import { holdingsOf } from './holdings.ts';
import { checkpointSeconds, database, putBack, witnessed } from './older-copy.ts';
import { refusalOf } from './refusal.ts';
import { onRoad, type Road } from './road.ts';
import type { RoadStation } from './road-station.ts';

async function paid(road: Road): Promise<void> {
  const { paymentId } = await road.alice.share(road.bob.name);
  await road.sharedCheck(paymentId);
  for (const { name } of road.stations) await road.payment(name, paymentId, 'delivered');
}

/** The sequence number of the announcement of `of` that `at` goes by. */
function announcedAt(road: Road, at: string, of: string): bigint {
  const { stations } = road.station(at).running.status();
  return BigInt(stations.find(({ station }) => station === of)?.sequence ?? -1n);
}

/** Starts a station from a copy of its database that lacks a payment which was witnessed. */
async function startRolledBack(road: Road, station: RoadStation): Promise<string> {
  const { alice } = road;
  await alice.station.topUp(alice.name, 1_000n);
  await alice.buy([road.price(), 3]);
  await paid(road);
  const [older, newest] = [join(road.folder, 'older'), join(road.folder, 'newest')];
  copyDatabase(database(station), older);
  await paid(road);
  road.clock.moveOn(checkpointSeconds);
  await witnessed(road, station.name);
  await station.stop();
  copyFileSync(database(station), newest);
  putBack(station, older);
  await station.start();
  await road.ready();
  await road.eventually('it has heard what it lost', () => {
    const { rolledBack } = station.running.status().log;
    return rolledBack?.advice.includes('put the newest copy of it in its place');
  });
  return newest;
}

it(
  'neighbours cosign how far a log has grown, and what they cosigned is in it',
  onRoad({}, async (road) => {
    await road.alice.station.topUp(road.alice.name, 1_000n);
    await road.alice.buy([road.price(), 2]);
    await paid(road);
    road.clock.moveOn(checkpointSeconds);
    const first = await witnessed(road, 'q1');
    for (const { name } of road.stations) await witnessed(road, name);
    await paid(road);
    road.clock.moveOn(checkpointSeconds);
    expect(await witnessed(road, 'q1')).toBe(first + 2n);
    await road.station('q2').restart();
    await road.ready();
    const { log } = road.station('q2').running.status();
    expect(log.cosigned.map(({ witness }) => witness)).toEqual(['q1', 'q3']);
    expect(log).toMatchObject({ contradicting: [] });
    expect(log.rolledBack).toBeUndefined();
  }),
);

it.each([
  ['q1', 'issues'],
  ['q2', 'carries'],
  ['q3', 'decides'],
])(
  'a database replaced by an older copy: %s says so, and %s nothing until the newest is back',
  async (name) => {
    await onRoad({}, async (road) => {
      const { alice, bob } = road;
      const station = road.station(name);
      const newest = await startRolledBack(road, station);
      const findings = (await station.audit()).findings.map(({ code }) => code);
      expect(findings).toContain('log-cut-short');
      await road.atDesk(bob);
      await road.atDesk(alice);
      const before = await holdingsOf(road);
      const refusal = await refusalOf(alice.quote(bob.name));
      expect(refusal).toMatchObject({ code: 'rolled-back', outcome: 'refused' });
      expect(refusal.words).toMatch(
        new RegExp(`^${name} has lost records that q[123] witnessed, .* No coin was used`),
      );
      expect(await holdingsOf(road)).toEqual(before);
      // Also from the start on, before any neighbour has said so again.
      await station.stop();
      await station.start();
      expect(station.running.status().log.rolledBack).toBeDefined();
      await station.stop();
      putBack(station, newest);
      await station.start();
      expect(station.running.status().log.rolledBack).toBeUndefined();
    })();
  },
);

it(
  'an issuer whose database was replaced by an older copy sells and takes back nothing',
  onRoad({}, async (road) => {
    const { alice } = road;
    const q1 = road.station('q1');
    const newest = await startRolledBack(road, q1);
    await road.atDesk(alice);
    const before = await holdingsOf(road);
    const oneBack = { lines: [{ value: String(road.price()), count: 1 }] };
    for (const errand of [() => alice.buy([5n, 1]), () => alice.run('refund', oneBack)]) {
      const refusal = await refusalOf(errand());
      expect(refusal).toMatchObject({ code: 'rolled-back', outcome: 'refused' });
      expect(refusal.words).toMatch(
        /^q1 has lost records that q2 witnessed, .* Nothing was changed/,
      );
    }
    expect(await holdingsOf(road)).toEqual(before);
    await q1.stop();
    putBack(q1, newest);
    await q1.start();
  }),
);

it(
  'a station that announced itself from an older copy is believed again once the newest is back',
  onRoad({}, async (road) => {
    const q2 = road.station('q2');
    const newest = await startRolledBack(road, q2);
    const ofOlder = announcedAt(road, 'q1', q2.name);
    await q2.stop();
    putBack(q2, newest);
    await q2.start();
    await road.ready();
    await road.eventually('q1 believes what q2 says now', () => {
      return announcedAt(road, 'q1', q2.name) > ofOlder;
    });
    await paid(road);
  }),
);
