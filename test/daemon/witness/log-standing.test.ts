/** What a station knows of its own log before anybody has spoken. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { headNow } from '../../../applet-spec/names.ts';
import { declaration as declarationKind } from '../../../daemon/wire/declaration.ts';
import { LogStanding } from '../../../daemon/witness/log-standing.ts';
import { network } from '../audit/toll-papers.ts';
import { WitnessRoom } from './witness-room.ts';

let room: WitnessRoom;
beforeEach(async () => {
  room = await WitnessRoom.open();
  await room.stations.q1.grow(5);
});
afterEach(() => room.close());

async function rebuilding() {
  const { station } = room.stations.q1;
  const { store, name } = station;
  const size = await store.logSize();
  const kept = { size, root: await store.logRoot(size) };
  const peers = [room.stations.q2.station.name];
  await store.beginRecovery({ kept, sinceSeconds: 0n, peers, nowMs: 0 });
  const standing = new LogStanding(name, store);
  await standing.start();
  return { standing, station, kept };
}

it('a station that starts while its books are rebuilt takes no payments', async () => {
  const { standing } = await rebuilding();
  expect(standing.rolledBack).toEqual({ witness: 'q1', cosigned: 5n, present: 5n });
  expect(standing.refusal).toBe('q1 rebuilds records that it has lost, and takes no payments.');
});

it('it names the witness as soon as one has spoken again', async () => {
  const { standing, station } = await rebuilding();
  const { body } = room.signed('q1', 9n, new Uint8Array(32));
  expect(await standing.compare(room.stations.q3.station.name, body)).toBe(false);
  expect(standing.rolledBack).toEqual({ witness: 'q3', cosigned: 9n, present: 5n });
  expect(standing.refusal).toContain(`${station.name} has lost records that q3 witnessed`);
});

it('it takes payments again once the loss is declared', async () => {
  const { standing, station, kept } = await rebuilding();
  const { name, store, documentKey } = station;
  const lost = { generation: 0n, size: 9n, root: new Uint8Array(32) };
  const body = { ...headNow, network, station: name, generation: 1n, lost, kept, time: 7n };
  const { bytes } = declarationKind.sign(body, documentKey);
  await store.finishRecovery({ declaration: { station: name, generation: 1n, bytes }, nowMs: 0 });
  await standing.start();
  expect([standing.rolledBack, standing.refusal]).toEqual([undefined, undefined]);
});
