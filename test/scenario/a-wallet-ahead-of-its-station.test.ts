/** A wallet goes on from where it was; a station that lost its books counts anew (failure 39). */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { checkpointSeconds, copyOf, startFrom, witnessed } from './older-copy.ts';
import { onRoad, type Road } from './road.ts';

async function paid(road: Road): Promise<string> {
  const { paymentId } = await road.alice.share(road.bob.name);
  await road.sharedCheck(paymentId);
  for (const { name } of road.stations) await road.payment(name, paymentId, 'delivered');
  return paymentId;
}

/**
 * Bob's wallet is as it was before the last payment, of which his card says nothing any more, and
 * has got as far as this cursor.
 */
async function isAhead(road: Road, cursor: bigint, pay: () => Promise<string>): Promise<string> {
  const { bob } = road;
  const file = join(road.folder, bob.name, 'wallet.db');
  await bob.leave();
  copyFileSync(file, `${file} of before`);
  await bob.comeBack();
  await road.atDesk(bob);
  const paymentId = await pay();
  await bob.run('erase-key', { paymentId });
  await bob.leave();
  copyFileSync(`${file} of before`, file);
  bob.startAgain();
  bob.withWallet((wallet) => {
    wallet.savePaymentsCursor(cursor);
  });
  await bob.leave();
  return paymentId;
}

function paymentsOf(road: Road): readonly string[] {
  return road.bob.withWallet(({ payments }) =>
    payments.all().map(({ paymentId }) => Buffer.from(paymentId).toString('hex')),
  );
}

it(
  'is told all again once the books are rebuilt, also where they have come further meanwhile',
  onRoad({}, async (road) => {
    const { alice, bob, last } = road;
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(), 4]);
    const first = await paid(road);
    const copy = copyOf(road, last);
    // No further than the rebuilt books will be: only their generation tells.
    const second = await isAhead(road, 4n, () => paid(road));
    road.clock.moveOn(checkpointSeconds);
    await witnessed(road, last.name);
    await startFrom(road, last, copy);
    await last.running.recover({});
    await road.eventually('the books are rebuilt', () => {
      const { recovery, log } = last.running.status();
      return recovery?.state === 'done' && log.rolledBack === undefined;
    });
    await bob.comeBack();
    expect([...paymentsOf(road)].sort()).toEqual([first, second].sort());
    const cursor = bob.withWallet((wallet) => wallet.requireSettings().paymentsCursor);
    expect(cursor >> 40n).toBe(1n);
    const told = bob.next('concluded').then(() => true);
    await bob.leave();
    await bob.comeBack();
    expect(await Promise.race([told, Promise.resolve(false)])).toBe(false);
    expect(paymentsOf(road)).toHaveLength(2);
  }),
);

it(
  'is told all again by books that are behind it',
  onRoad({ stations: 2 }, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(), 2]);
    const first = await paid(road);
    const second = await isAhead(road, 1_000n, () => paid(road));
    await bob.comeBack();
    expect([...paymentsOf(road)].sort()).toEqual([first, second].sort());
  }),
);
