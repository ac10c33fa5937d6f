/** One payment of which the disk has lost some bytes: its user is not barred from the desk. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { fromHex } from '../../applet-spec/bytes.ts';
import { toUserName } from '../../applet-spec/names.ts';
import { rawDatabase } from '../raw-database.ts';
import { onRoad } from './road.ts';
import type { RoadStation } from './road-station.ts';

/** What a sector that went bad leaves of it; returns what mends it. */
function rot({ config }: RoadStation, paymentId: string): () => void {
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
  disk.exec(`UPDATE payment SET card_concluded = 0 WHERE number = ${number}`);
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
    const mend = rot(alice.station, paymentId);
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
