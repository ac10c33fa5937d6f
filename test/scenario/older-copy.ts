/** Databases put in the place of others, as an operator would or should not. */
import { copyFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { copyDatabase } from '../../daemon/store/connection.ts';
import type { Road } from './road.ts';
import type { RoadStation } from './road-station.ts';

export const checkpointSeconds = 60;

/** The database in one file, as a stopped station leaves it. */
export function database({ config }: RoadStation): string {
  return join(config.path(config.data), 'station.sqlite');
}

/** What the station's database holds now, in a file of its own. */
export function copyOf(road: Road, station: RoadStation): string {
  const copy = join(road.folder, `copy of ${station.name}`);
  rmSync(copy, { force: true });
  copyDatabase(database(station), copy);
  return copy;
}

/** While the station is stopped; without a copy it starts with an empty database. */
export function putBack(station: RoadStation, copy?: string): void {
  const file = database(station);
  for (const part of ['', '-wal', '-shm']) rmSync(`${file}${part}`, { force: true });
  if (copy !== undefined) copyFileSync(copy, file);
}

/** Each neighbour has cosigned all that a station's log holds. */
export async function witnessed(road: Road, name: string): Promise<bigint> {
  const station = road.station(name);
  const size = await station.withStore((store) => store.logSize());
  await road.eventually(`the log of ${name} is witnessed`, () => {
    const { cosigned } = station.running.status().log;
    const neighbours = road.edges.filter(({ from, to }) => from === name || to === name).length;
    return (
      cosigned.length === neighbours && cosigned.every(({ leaves }) => leaves === String(size))
    );
  });
  return size;
}

/** From now on the station has the copy, and has heard from neighbours what it lacks. */
export async function startFrom(
  road: Road,
  station: RoadStation,
  copy: string | undefined,
): Promise<void> {
  await station.stop();
  putBack(station, copy);
  await station.start();
  await road.ready();
  await road.eventually('it has heard what it lost', () => {
    return station.running.status().log.rolledBack !== undefined;
  });
}
