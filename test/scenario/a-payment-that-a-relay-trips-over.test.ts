/**
 * Failure 46: a relay whose program cannot handle one payment. It comes with each connection, is
 * quarantined, and ends by the last station's word; whatever stands behind it goes on.
 */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { toHex } from '../../applet-spec/bytes.ts';
import { toStationName } from '../../applet-spec/names.ts';
import { rawDatabase } from '../raw-database.ts';
import { unspent } from './holdings.ts';
import { onRoad, type Road } from './road.ts';
import type { RoadStation } from './road-station.ts';
import type { RoadUser } from './road-user.ts';

const users = ['alice@q1', 'bob@q3', 'carol@q1'];

/** As a defect would: whatever this user pays cannot be stored. */
function tripsOver(station: RoadStation, payer: string): void {
  const database = rawDatabase(join(station.folder, 'data', 'station.sqlite'));
  database.exec(`CREATE TRIGGER a_defect BEFORE INSERT ON payment WHEN NEW.payer = '${payer}'
    BEGIN SELECT RAISE(ABORT, 'a defect'); END`);
  database.close();
}

async function failsOnce(road: Road, at: RoadStation, how: () => Promise<void>): Promise<void> {
  const lines = at.log.lines.length;
  await how();
  await road.eventually(`${at.name} has tried it`, () =>
    at.log.lines.slice(lines).find(({ msg }) => msg.startsWith('a record of a neighbour')),
  );
}

it(
  'is refused with the third connection: the payer has a new coin, others are served all the while',
  onRoad({ users }, async (road) => {
    const { alice, bob } = road;
    const carol = road.user('carol@q1');
    const [q1, q2] = [road.station('q1'), road.station('q2')];
    for (const user of [alice, carol]) {
      await user.station.topUp(user.name, 1_000n);
      await user.buy([road.price(), 3]);
    }
    tripsOver(q2, carol.name);
    const secrets = carol.cardState.coins.map(({ secret }) => toHex(secret));
    const { quoteId } = await carol.quote(bob.name);
    const paying: { paymentId?: string } = {};
    await failsOnce(road, q2, async () => {
      paying.paymentId = (await carol.pay(quoteId, { waitMs: 0 })).paymentId;
    });
    const paymentId = paying.paymentId ?? '';
    await delivered(road, alice);
    for (let i = 0; i < 2; i++) {
      await failsOnce(road, q2, async () => {
        await road.cutFibre('q1', 'q2');
        await road.mendFibre('q1', 'q2');
      });
    }
    const ended = await road.payment('q1', paymentId, 'undelivered');
    expect(ended.receipt).toBeDefined();
    await road.eventually('a new coin is on the card', async () => {
      return (await unspent(carol)).length === 3;
    });
    const fresh = carol.cardState.coins.filter(({ secret }) => !secrets.includes(toHex(secret)));
    expect(fresh).toHaveLength(1);
    for (const user of [bob, carol]) expect(await user.keyCheck(paymentId)).toBeUndefined();
    expect(await q2.payment(paymentId)).toBeUndefined();
    expect(await q2.running.quarantine()).toEqual([{ peer: 'q1', counted: 0, quarantined: 1 }]);
    const waiting = await q1.withStore((store) => store.outbox(toStationName('q2'), 10));
    expect(waiting).toEqual([]);
    await road.ready();
    await delivered(road, alice);
  }),
);

async function delivered(road: Road, payer: RoadUser): Promise<void> {
  const { paymentId } = await payer.share(road.bob.name);
  await road.sharedCheck(paymentId, payer, road.bob);
}
