import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { seededEntropy } from '../../emulator/entropy.ts';
import { holdingsOf } from './holdings.ts';
import { refusalOf } from './refusal.ts';
import { Road } from './road.ts';
import { endOfRoad } from './sound-books.ts';

let road: Road;
const noise = seededEntropy('a quantum generator').randomBytes(1 << 20);

beforeAll(async () => {
  road = await Road.open({ stations: 2 });
  await road.alice.station.topUp(road.alice.name, 1_000n);
  await road.alice.buy([road.price(), 1]);
  const named = '[entropy]\ndevice = "qrng"\n\n[[neighbour]]';
  road.station('q1').configure((toml) => toml.replace('[[neighbour]]', named));
});
afterAll(() => endOfRoad(road));

/** What q1 reads its random numbers from, from now on. */
async function putDevice(bytes: Uint8Array): Promise<void> {
  const q1 = road.station('q1');
  await q1.stop();
  writeFileSync(join(q1.folder, 'qrng'), bytes);
  await q1.start();
  await road.ready();
  await road.atDesk(road.alice);
}

it('makes no coins, says so, and takes no money; what was bought still pays', async () => {
  const { alice, bob } = road;
  // Good until after the start-up tests, and then stuck.
  await putDevice(Uint8Array.from([...noise.subarray(0, 32_768), ...new Uint8Array(65_536)]));
  const before = await holdingsOf(road);
  const refused = await refusalOf(alice.buy([7n, 1]));
  expect(refused).toMatchObject({ code: 'no-coin-secrets', outcome: 'refused' });
  expect(refused.words).toMatch(/random number generator .*no coins now.*Nothing was changed/);
  expect(await holdingsOf(road)).toEqual(before);
  expect(road.complaints().join('\n')).toMatch(/qrng fails the \w+ \w+ test/);
  const { paymentId } = await alice.share(bob.name);
  await road.sharedCheck(paymentId);
});

it('makes coins again with a device that is sound', async () => {
  await putDevice(noise);
  await road.alice.buy([7n, 1]);
});
