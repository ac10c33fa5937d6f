import type { RoadStation } from './road-station.ts';

/**
 * I36: whatever stations went through, their audits raise no false alarm. Throws with what any of
 * them finds in its own store (S6).
 */
export async function expectSoundBooks(stations: readonly RoadStation[]): Promise<void> {
  for (const station of stations) {
    const { findings } = await station.audit();
    if (findings.length === 0) continue;
    const words = findings.map(({ code, detail }) => `${code}: ${detail}`);
    throw new Error(`the audit of ${station.name} finds\n${words.join('\n')}`);
  }
}

/** The end of a road that several stories shared: as one has its own end (`onRoad`). */
export async function endOfRoad(road: {
  readonly stations: readonly RoadStation[];
  close(): Promise<void>;
}): Promise<void> {
  try {
    await expectSoundBooks(road.stations);
  } finally {
    await road.close();
  }
}
