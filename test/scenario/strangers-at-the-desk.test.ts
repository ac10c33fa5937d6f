import { expect, it } from 'vitest';
import { systemClock } from '../../daemon/clock.ts';
import { webSockets } from '../../daemon/web-socket.ts';
import { onRoad, type Road } from './road.ts';
import type { LogLine } from './station-log.ts';

const words = ['a message was refused', 'a card was not authenticated'];

function isReport({ level, msg }: LogLine): boolean {
  return level >= 40 && words.includes(msg);
}

function reports(road: Road): number {
  return road.station('q1').log.lines.filter(isReport).length;
}

/** Connects, says this, and waits to be turned away. */
async function speak(road: Road, bytes: Uint8Array): Promise<void> {
  const url = `ws://127.0.0.1:${String(road.station('q1').deskPort)}`;
  const socket = await webSockets(systemClock).connect(url, 1_048_576);
  await new Promise<void>((resolve) => {
    socket.listen({ message: () => undefined, closed: () => resolve() });
    socket.send(bytes);
  });
}

it(
  'strangers who say what nobody understands do not fill the operator’s log',
  onRoad({ stations: 2 }, async (road) => {
    for (let i = 0; i < 40; i++) await speak(road, Uint8Array.of(0x7f, 0));
    expect(reports(road)).toBe(1);
    road.clock.moveOn(61);
    await speak(road, Uint8Array.of(0x7f, 0));
    expect(reports(road)).toBe(2);
  }),
);

it(
  'a user who comes and goes all the time does not fill it either',
  onRoad({ stations: 2 }, async (road) => {
    const { alice } = road;
    const said = (words: RegExp) =>
      road.station('q1').log.lines.filter(({ msg }) => words.test(msg)).length;
    for (let i = 0; i < 12; i++) {
      await alice.leave();
      await alice.comeBack();
    }
    expect(said(/^a user is at the desk/)).toBe(10);
    road.clock.moveOn(61);
    await road.eventually(
      'the rest are counted',
      () => said(/^\d+ more such lines within a minute were left out: a user is at the desk$/) > 0,
    );
  }),
);
