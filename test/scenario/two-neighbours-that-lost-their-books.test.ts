/** Failures 37 to 39 at two neighbours at once: neither shows the other what is not whole. */
import { expect, it } from 'vitest';
import { toStationName } from '../../applet-spec/names.ts';
import { checkpointSeconds, copyOf, startFrom, witnessed } from './older-copy.ts';
import { onRoad, type Road } from './road.ts';
import type { RoadStation } from './road-station.ts';

async function paid(road: Road): Promise<string> {
  const { paymentId } = await road.alice.share(road.bob.name);
  await road.sharedCheck(paymentId);
  for (const { name } of road.stations) await road.payment(name, paymentId, 'delivered');
  return paymentId;
}

function waitsFor(station: RoadStation, neighbour: RoadStation) {
  const { recovery } = station.running.status();
  return recovery?.neighbours.find((one) => one.neighbour === neighbour.name)?.waits?.why;
}

it(
  'each says that the other has lost records, and one that goes on first helps the other',
  onRoad({ stations: 4 }, async (road) => {
    const [, q2, q3] = road.stations;
    if (q2 === undefined || q3 === undefined) throw new Error('a short road');
    await road.alice.station.topUp(road.alice.name, 1_000n);
    await road.alice.buy([road.price(), 3]);
    const older = copyOf(road, q2);
    const before = await paid(road);
    const newer = copyOf(road, q3);
    const lost = await paid(road);
    road.clock.moveOn(checkpointSeconds);
    for (const { name } of [q2, q3]) await witnessed(road, name);
    await startFrom(road, q2, older);
    await startFrom(road, q3, newer);
    for (const one of [q2, q3]) await one.running.recover({});
    await road.eventually('both say what they wait for', () => {
      return waitsFor(q2, q3) === 'lost-records' && waitsFor(q3, q2) === 'lost-records';
    });
    await q3.running.recover({ leaveOut: [toStationName('q2')] });
    for (const one of [q3, q2]) {
      await road.eventually(`the books of ${one.name} are rebuilt`, () => {
        road.clock.moveOn(5);
        return one.running.status().recovery?.state === 'done';
      });
    }
    expect(waitsFor(q2, q3)).toBeUndefined();
    for (const { name } of [q2, q3]) {
      for (const paymentId of [before, lost]) await road.payment(name, paymentId, 'delivered');
    }
  }),
);
