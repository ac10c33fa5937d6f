/** A coin is worth the sum of its bill, and there is none of 0 (S31, S32). */
import { expect, it } from 'vitest';
import { refusalOf } from './refusal.ts';
import { onRoad } from './road.ts';
import type { Road } from './road.ts';
import type { RoadStation } from './road-station.ts';

async function charge(road: Road, station: RoadStation, fee: string): Promise<void> {
  station.configure((toml) => toml.replace(/^tariff = .*$/m, `tariff = { fee = "${fee}" }`));
  await station.restart();
  await road.ready();
  for (const user of road.users) await road.atDesk(user);
}

it(
  'a key over stations that charge nothing is refused, with what the operator can do about it',
  onRoad({ stations: 2 }, async (road) => {
    const { alice, bob } = road;
    for (const station of road.stations) await charge(road, station, '0');
    const feesAt = (name: string) =>
      road
        .station(name)
        .running.status()
        .stations.map(({ fee }) => fee);
    await road.eventually('q1 has heard of the fees', () => feesAt('q1').join(' ') === '0 0');
    const refusal = await refusalOf(alice.quote(bob.name));
    expect(refusal).toMatchObject({ code: 'nothing-to-pay', outcome: 'refused' });
    expect(refusal.words).toBe(
      'No station on the way charges anything, and there is no coin of EUR 0.00 to pay with: the ' +
        'operator of q1 has to charge EUR 0.01 at least (tariff.fee in station.toml): tell ' +
        'that operator',
    );
    await charge(road, road.station('q1'), '1');
    await alice.station.topUp(alice.name, 100n);
    await alice.buy([1n, 1]);
    expect(await alice.share(bob.name)).toMatchObject({ standing: 'delivered', total: '1' });
  }),
);

it(
  'where the straight way is free, a key goes over the one that can be paid',
  onRoad({ stations: 3, topology: 'ring' }, async (road) => {
    const { alice, bob } = road;
    await charge(road, road.station('q1'), '0');
    await charge(road, road.station('q3'), '0');
    const heard = () => road.station('q1').running.status().stations;
    await road.eventually('q1 has heard of the fees', () =>
      heard().every(({ station, fee }) => fee === (station === 'q2' ? '2' : '0')),
    );
    const { bill, total } = await alice.quote(bob.name);
    expect(bill.map(({ station, fee }) => `${station} ${fee}`)).toEqual(['q1 0', 'q2 2', 'q3 0']);
    await alice.station.topUp(alice.name, 100n);
    await alice.buy([BigInt(total), 1]);
    expect(await alice.share(bob.name)).toMatchObject({ standing: 'delivered', total: '2' });
  }),
);
