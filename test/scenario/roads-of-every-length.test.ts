import { expect, it } from 'vitest';
import type { Suite } from '../../applet-spec/names.ts';
import { onRoad } from './road.ts';

const suites: readonly Suite[] = ['aes', 'otp-secret', 'otp'];
/** Every kind of link on the way. */
const mixed = (from: string): Suite => suites[Number(from.slice(1)) % 3] ?? 'aes';

it.each([2, 3, 4, 10, 16])('a chain of %i stations, with links of all suites', async (stations) => {
  await onRoad({ stations, suite: mixed }, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(), 2]);
    const paid = await alice.share(bob.name);
    expect(paid.standing).toBe('delivered');
    expect(paid.bill.map(({ station }) => station)).toEqual(road.stations.map(({ name }) => name));
    expect(paid.total).toBe(String(road.price()));
    await road.sharedCheck(paid.paymentId);
    for (const { name } of road.stations) await road.payment(name, paid.paymentId, 'delivered');
    const words = await bob.says(alice.name, `over ${stations} stations`);
    expect(await alice.hears(words)).toBe(`over ${stations} stations`);
  })();
});

it(
  'a mesh: the direct link where it is cheapest, and round it when it fails',
  onRoad({ stations: 4, topology: 'mesh' }, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 100n);
    const direct = await alice.quote(bob.name);
    expect(direct.bill.map(({ station }) => station)).toEqual(['q1', 'q4']);
    await road.last.cutOff();
    const round = await road.eventually('q1 has heard that the links to q4 are down', () =>
      road
        .station('q1')
        .running.status()
        .links.find(({ peer, state }) => peer === 'q4' && state !== 'up'),
    );
    expect(round.peer).toBe('q4');
    await expect(alice.quote(bob.name)).rejects.toMatchObject({ code: 'no-route' });
    await road.last.joinAgain();
    await road.ready();
    expect((await alice.quote(bob.name)).total).toBe(direct.total);
  }),
);

it(
  'a minimum suite is kept on every link, and no route below it is offered',
  onRoad({ topology: 'ring', suite: (from) => (from === 'q1' ? 'otp' : 'aes') }, async (road) => {
    const { alice } = road;
    const carol = await road.enrol('carol@q2');
    const { bill } = await alice.quote(carol.name, { minimumSuite: 'otp' });
    expect(bill.map(({ station }) => station)).toEqual(['q1', 'q2']);
    await carol.station.topUp(carol.name, 100n);
    await expect(
      carol.quote('bob@q3', { minimumSuite: 'otp', avoid: [road.station('q1').running.name] }),
    ).rejects.toMatchObject({ code: 'no-route' });
  }),
);
