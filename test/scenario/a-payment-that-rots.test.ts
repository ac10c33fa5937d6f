/** One payment of which the disk has lost some bytes: its user is not barred from the desk. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fromHex, toHex } from '../../applet-spec/bytes.ts';
import { toUserName } from '../../applet-spec/names.ts';
import { rawDatabase } from '../raw-database.ts';
import { onRoad } from './road.ts';
import type { RoadStation } from './road-station.ts';

/** What a sector that went bad leaves of it; returns what mends it. */
function rot({ config }: RoadStation, paymentId: string, isConcluded: boolean): () => void {
  const file = join(config.path(config.data), 'station.sqlite');
  const disk = rawDatabase(file);
  const number = `(SELECT number FROM payment WHERE payment_id = x'${paymentId}')`;
  disk.exec('DROP TRIGGER payment_body_is_never_changed');
  const before = disk
    .prepare<[], { payment: Uint8Array }>(
      `SELECT payment FROM payment_body WHERE number = ${number}`,
    )
    .get();
  const put = disk.prepare(`UPDATE payment_body SET payment = ? WHERE number = ${number}`);
  put.run(fromHex('00'));
  disk.exec(`UPDATE payment SET card_concluded = ${isConcluded ? 1 : 0} WHERE number = ${number}`);
  return () => {
    put.run(before?.payment);
    disk.close();
  };
}

it(
  'its payer comes to the desk and pays, and hears of it once it is mended',
  onRoad({ stations: 2 }, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 100n);
    await alice.buy([road.price(), 2]);
    const { paymentId } = await alice.share(bob.name);
    await alice.station.stop();
    const mend = rot(alice.station, paymentId, false);
    await alice.station.start();
    await road.atDesk(alice);
    expect(await alice.share(bob.name)).toMatchObject({ standing: 'delivered' });
    mend();
    await alice.station.restart();
    await road.eventually('its card has heard the verdict again', async () => {
      const left = await alice.station.withStore((store) =>
        store.unconcluded(toUserName(alice.name)),
      );
      return left.length === 0;
    });
  }),
);

it(
  'a wallet that has never heard of it hears of those behind it, and of it once it is mended',
  onRoad({ stations: 2 }, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 100n);
    await alice.buy([road.price(), 3]);
    const wallet = join(road.folder, bob.name, 'wallet.db');
    await bob.leave();
    copyFileSync(wallet, `${wallet} of before`);
    await bob.comeBack();
    const paid: string[] = [];
    for (let i = 0; i < 3; i++) {
      await road.atDesk(bob);
      const { paymentId } = await alice.share(bob.name);
      await road.sharedCheck(paymentId);
      // Its card says nothing of it any more.
      await bob.run('erase-key', { paymentId });
      paid.push(paymentId);
    }
    await bob.leave();
    copyFileSync(`${wallet} of before`, wallet);
    const [first = '', ...others] = paid;
    await bob.station.stop();
    const mend = rot(bob.station, first, true);
    await bob.station.start();
    const known = (): string[] =>
      bob.withWallet(({ payments }) => payments.all().map(({ paymentId }) => toHex(paymentId)));
    for (const heard of [others, others, paid]) {
      if (heard === paid) mend();
      await bob.comeBack();
      expect(known().sort()).toEqual([...heard].sort());
      await bob.leave();
    }
  }),
);
