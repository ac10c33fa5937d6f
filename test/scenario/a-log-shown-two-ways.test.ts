import { join } from 'node:path';
import { expect, it } from 'vitest';
import { copyDatabase } from '../../daemon/store/connection.ts';
import { checkpointSeconds, copyOf, database, putBack, witnessed } from './older-copy.ts';
import { onRoad, Road } from './road.ts';

const ring = { topology: 'ring', users: ['alice@q1'] } as const;

/** One more leaf in the log of q1, and the time for a checkpoint; this neighbour cosigns it. */
async function grown(road: Road, witness: string): Promise<string> {
  const q1 = road.station('q1');
  await q1.topUp('alice@q1', 5n);
  const leaves = String(await q1.withStore((store) => store.logSize()));
  road.clock.moveOn(checkpointSeconds + 1);
  await road.eventually(`${witness} has cosigned it`, () => {
    const { cosigned } = q1.running.status().log;
    return cosigned.some((one) => one.witness === witness && one.leaves === leaves);
  });
  return leaves;
}

/** q1 runs from an older copy, and of its neighbours only q3 is within reach. */
async function fromOlderCopy(road: Road, older: string): Promise<void> {
  const q1 = road.station('q1');
  await q1.stop();
  putBack(q1, older);
  await road.cutFibre('q1', 'q2');
  await road.mendFibre('q1', 'q3');
  await q1.start();
  await road.eventually('q1 and q3 are joined', () => {
    const link = q1.running.status().links.find(({ peer }) => peer === 'q3');
    return link?.state === 'up';
  });
}

it('two logs that a station showed to two neighbours are found once those are joined', async () => {
  const road = await Road.open(ring);
  try {
    const q1 = road.station('q1');
    await grown(road, 'q2');
    await witnessed(road, 'q1');
    const older = copyOf(road, q1);
    await road.cutFibre('q1', 'q3');
    await road.cutFibre('q2', 'q3');
    const leaves = await grown(road, 'q2');
    await fromOlderCopy(road, older);
    expect(await grown(road, 'q3')).toBe(leaves);
    for (const name of ['q2', 'q3']) {
      expect(road.station(name).running.status().log.contradicting).toEqual([]);
    }
    await road.mendFibre('q2', 'q3');
    for (const name of ['q2', 'q3']) {
      const station = road.station(name);
      await road.eventually(`${name} has the proof`, () =>
        station.running.status().log.contradicting.includes('q1'),
      );
      const { findings } = await station.audit();
      expect(findings).toEqual([
        {
          code: 'two-logs',
          detail: `q1 signed two different logs of ${leaves} leaves`,
          party: 'q1',
        },
      ]);
    }
    // Its own signature tells q1, too, that it lost records.
    await road.eventually('q1 takes no payments', () => q1.running.status().log.rolledBack);
  } finally {
    await road.close();
  }
});

it(
  'a station that was rolled back hears it from a neighbour who only heard of it, in time',
  onRoad(ring, async (road) => {
    const q1 = road.station('q1');
    await grown(road, 'q3');
    await witnessed(road, 'q1');
    const older = join(road.folder, 'older');
    copyDatabase(database(q1), older);
    await road.cutFibre('q1', 'q3');
    await grown(road, 'q2');
    const newest = copyOf(road, q1);
    await fromOlderCopy(road, older);
    await road.eventually('q1 takes no payments', () => q1.running.status().log.rolledBack);
    expect(q1.running.status().log.rolledBack?.witness).toBe('q2');
    await q1.stop();
    putBack(q1, newest);
    await q1.start();
    await road.mendFibre('q1', 'q2');
    await road.ready();
    expect(q1.running.status().log.rolledBack).toBeUndefined();
  }),
);
