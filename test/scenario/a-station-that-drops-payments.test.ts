/** Failure 31: what never came to the payee's station is not sent the same way again. */
import { expect, it } from 'vitest';
import { unspent } from './holdings.ts';
import { passTime } from './passing-time.ts';
import { onRoad, type Road } from './road.ts';

async function way(road: Road): Promise<string[]> {
  const { bill } = await road.alice.quote('bob@q3');
  return bill.map(({ station }) => station);
}

it(
  'its issuer leads payments round the stations between for ten minutes, then tries them again',
  onRoad({ stations: 4, topology: 'ring', users: ['alice@q1', 'bob@q3'] }, async (road) => {
    const { alice } = road;
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(['q1', 'q2', 'q3']), 1], [road.price(['q1', 'q4', 'q3']), 1]);
    const quoted = await alice.quote('bob@q3');
    expect(quoted.bill.map(({ station }) => station)).toEqual(['q1', 'q2', 'q3']);
    await road.fibre('q2', 'q3').cut();
    const { paymentId } = await alice.pay(quoted.quoteId, { waitMs: 0 });
    await road.payment('q2', paymentId, 'held');
    await passTime(road, 390, ['q3', 'q4']);
    await road.payment('q1', paymentId, 'undelivered');
    const q1 = road.station('q1');
    expect(q1.log.lines.find(({ msg }) => msg.includes('never came'))).toMatchObject({
      paymentId,
      between: 'q2',
    });
    await road.eventually('a new coin is there', async () => (await unspent(alice)).length === 2);

    await road.fibre('q2', 'q3').mend();
    road.clock.moveOn(60);
    await road.ready();
    expect(await way(road)).toEqual(['q1', 'q4', 'q3']);
    await road.sharedCheck((await alice.share('bob@q3')).paymentId, alice, road.user('bob@q3'));
    await passTime(road, 600, ['q2', 'q3', 'q4']);
    expect(await way(road)).toEqual(['q1', 'q2', 'q3']);
  }),
);
