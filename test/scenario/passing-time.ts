import type { Road } from './road.ts';

const stepSeconds = 30;

/**
 * Time in which q1 goes on hearing of these stations: a leap would make all announcements old at
 * once.
 */
export async function passTime(
  road: Road,
  seconds: number,
  names: readonly string[],
): Promise<void> {
  for (let passed = 0; passed < seconds; passed += stepSeconds) {
    road.clock.moveOn(stepSeconds);
    await road.eventually('q1 has heard of all others', () => heardOf(road, names));
  }
}

/** q1 has an announcement of each, not a minute old. */
function heardOf(road: Road, names: readonly string[]): boolean {
  const { stations } = road.station('q1').running.status();
  return names.every((name) => {
    const found = stations.find(({ station }) => station === name);
    return found !== undefined && Date.parse(found.announced) > road.clock.nowMs() - 60_000;
  });
}
