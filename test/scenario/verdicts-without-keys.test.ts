/**
 * Under `otp` a receipt needs keys of each link that it goes over. Where one has none when the
 * receipt comes by, every station has it all the same once there are keys again (I33, I40).
 */
import { expect, it } from 'vitest';
import { onRoad, type Road, type RoadOptions } from './road.ts';

/** A payment over three stations draws some 10,500 bits under `otp`, a receipt some 2,000. */
const options: RoadOptions = { suite: () => 'otp', stockBits: 32_768 };

/** The keys that `from` draws towards `to`, stock included, are gone but for a link's own. */
async function runsDry(road: Road, from: string, to: string): Promise<void> {
  road.device(from, to).leftAt.set(from, 2);
  await road.station(from).restart();
  await road.eventually(`all have heard that the link of ${from} to ${to} is up`, () =>
    road.stations.every((station) =>
      station.running
        .status()
        .stations.find((one) => one.station === from)
        ?.links.some(({ neighbour, up, availableBits }) => {
          return neighbour === to && up && BigInt(availableBits) <= 256n;
        }),
    ),
  );
}

function hasKeys(road: Road, from: string, to: string): void {
  road.device(from, to).leftAt.delete(from);
  road.clock.moveOn(20);
}

/** A payment is on its way back, delivered, and stuck at `q3`, which has no keys for `q2`. */
async function stuckAtQ3(road: Road): Promise<string> {
  const { alice, bob } = road;
  await alice.station.topUp(alice.name, 100n);
  await alice.buy([road.price(), 1]);
  await runsDry(road, 'q3', 'q2');
  await road.atDesk(bob);
  const { quoteId } = await alice.quote(bob.name);
  const { paymentId } = await alice.pay(quoteId, { waitMs: 0 });
  await road.eventually('q3 has waited for keys, and goes on', async () => {
    road.clock.moveOn(1);
    return (await road.station('q3').payment(paymentId))?.state === 'delivered';
  });
  for (const name of ['q1', 'q2']) {
    expect((await road.station(name).payment(paymentId))?.state).not.toBe('delivered');
  }
  return paymentId;
}

it(
  'the last station’s link: the receipt goes back as soon as it has some',
  onRoad(options, async (road) => {
    const paymentId = await stuckAtQ3(road);
    hasKeys(road, 'q3', 'q2');
    await road.payment('q2', paymentId, 'delivered');
    await road.sharedCheck(paymentId);
  }),
);

it(
  'the same, where the last station stops in between',
  onRoad(options, async (road) => {
    const paymentId = await stuckAtQ3(road);
    road.device('q3', 'q2').leftAt.set('q3', 1);
    await road.station('q3').restart();
    hasKeys(road, 'q3', 'q2');
    await road.payment('q2', paymentId, 'delivered');
    await road.sharedCheck(paymentId);
  }),
);

it(
  'the issuer’s link, when it has the receipt by asking: the stations on the way have it later',
  onRoad(options, async (road) => {
    const paymentId = await stuckAtQ3(road);
    await runsDry(road, 'q1', 'q2');
    await road.atDesk(road.alice);
    // The issuer asks half a minute after the delivery deadline.
    road.clock.moveOn(340);
    await road.payment('q1', paymentId, 'delivered');
    expect((await road.station('q2').payment(paymentId))?.state).not.toBe('delivered');
    hasKeys(road, 'q1', 'q2');
    await road.payment('q2', paymentId, 'delivered');
    await road.sharedCheck(paymentId);
  }),
);
