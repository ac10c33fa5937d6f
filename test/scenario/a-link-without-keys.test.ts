import { expect, it } from 'vitest';
import { payOnAnyRoute } from '../../driver/agent/any-route.ts';
import { toUserName } from '../../applet-spec/names.ts';
import { holdingsOf, unspent } from './holdings.ts';
import { refusalOf } from './refusal.ts';
import { onRoad, type Road } from './road.ts';
import type { RoadUser } from './road-user.ts';
import type { LogLine } from './station-log.ts';

/** Two payments, and what a link keeps ahead for itself. */
const stockBits = 1_024;

/** The link's devices make nothing more, and nothing is left in stock at its first end. */
async function drain(road: Road, from: string, to: string, pay: () => Promise<unknown>) {
  road.device(from, to).keysLeft = 0;
  while (BigInt(linkOf(road, from, to).availableBits) >= 512n) await pay();
}

function linkOf(road: Road, from: string, to: string) {
  const link = road
    .station(from)
    .running.status()
    .links.find(({ peer }) => peer === to);
  if (link === undefined) throw new Error(`${from} has no link to ${to}`);
  return link;
}

function starves(road: Road, from: string, to: string) {
  return road.eventually(`${from} says that its link to ${to} waits for keys`, () => {
    const link = linkOf(road, from, to);
    return link.state === 'waiting-for-keys' && link;
  });
}

async function purse(road: Road, payer: RoadUser, coins: number): Promise<void> {
  await payer.station.topUp(payer.name, 10_000n);
  await payer.buy([road.price(), coins]);
}

it(
  'the payer’s own: it waits, says since when and how much, and no coin is used',
  onRoad({ stockBits }, async (road) => {
    const { alice, bob } = road;
    await purse(road, alice, 8);
    const { quoteId } = await alice.quote(bob.name);
    await drain(road, 'q1', 'q2', () => alice.share(bob.name));
    const before = await holdingsOf(road);
    const refusal = refusalOf(alice.pay(quoteId));
    const waiting = await starves(road, 'q1', 'q2');
    expect(waiting).toMatchObject({ missingBits: '512', reservedBits: '0' });
    expect(Date.parse(waiting.since)).toBeLessThanOrEqual(road.clock.nowMs());
    road.clock.moveOn(11);
    expect(await refusal).toMatchObject({ code: 'no-keys', outcome: 'refused' });
    expect((await refusal).words).toMatch(/link to q2 .*No coin was used/);
    expect(await holdingsOf(road)).toEqual(before);
    // Nobody waits any more, and the link still says what it lacks, here and to the others.
    expect(linkOf(road, 'q1', 'q2').state).toBe('waiting-for-keys');
    const waits = ({ msg }: LogLine): boolean => msg.includes('waits for QKD keys');
    const said = road.station('q1').log.lines.filter(waits).at(-1);
    expect(said).toMatchObject({ peer: 'q2', missingBits: 512 });
    await road.eventually('q3 has heard of it', () =>
      road.last.running
        .status()
        .stations.find(({ station }) => station === 'q1')
        ?.links.some(({ state, missingBits }) => state !== 'up' && missingBits === '512'),
    );
    expect(await refusalOf(alice.quote(bob.name))).toMatchObject({ code: 'no-route' });
    road.device('q1', 'q2').keysLeft = Number.POSITIVE_INFINITY;
    road.clock.moveOn(20);
    await road.ready();
    await road.sharedCheck((await alice.share(bob.name)).paymentId);
  }),
);

it(
  'the payer’s own: while a payer waits for its keys, the station stops at once',
  onRoad({ stockBits }, async (road) => {
    const { alice, bob, clock } = road;
    await purse(road, alice, 8);
    const { quoteId } = await alice.quote(bob.name);
    await drain(road, 'q1', 'q2', () => alice.share(bob.name));
    const before = await holdingsOf(road);
    const refusal = refusalOf(alice.pay(quoteId));
    await starves(road, 'q1', 'q2');
    const sinceMs = clock.nowMs();
    await road.station('q1').stop();
    // Keys are waited for twice as long, and more.
    expect(clock.nowMs() - sinceMs).toBeLessThan(5_000);
    expect(await refusal).toMatchObject({ outcome: 'unknown' });
    await road.station('q1').start();
    road.device('q1', 'q2').keysLeft = Number.POSITIVE_INFINITY;
    clock.moveOn(20);
    await Promise.all([road.ready(), road.atDesk(alice)]);
    expect(await holdingsOf(road)).toEqual(before);
  }),
);

it(
  'the payer’s own, on a ring: the wallet is offered the other way and pays with the same coin',
  onRoad(
    { stations: 5, topology: 'ring', stockBits, users: ['alice@q1', 'bob@q3'] },
    async (road) => {
      const { alice } = road;
      const bob = road.user('bob@q3');
      const carol = await road.enrol('carol@q2');
      const ways = {
        short: road.price(['q1', 'q2', 'q3']),
        long: road.price(['q1', 'q5', 'q4', 'q3']),
      };
      await alice.station.topUp(alice.name, 10_000n);
      await alice.buy([ways.short, 1], [ways.long, 1], [road.price(['q1', 'q2']), 6]);
      const seen: string[] = [];
      const bill: string[][] = [];
      const paid = await payOnAnyRoute(
        (name, params) => alice.run(name, params),
        { payee: toUserName(bob.name), minimumSuite: 'aes', avoid: [] },
        { exchange: false, waitMs: 60_000 },
        {
          agrees: async (quote) => {
            bill.push(quote.bill.map(({ station }) => station));
            if (bill.length > 1) return true;
            await drain(road, 'q1', 'q2', () => alice.share(carol.name));
            starves(road, 'q1', 'q2').then(
              () => road.clock.moveOn(11),
              () => undefined,
            );
            return true;
          },
          hears: (_quote, { code }) => seen.push(code),
        },
      );
      expect(seen).toEqual(['no-keys']);
      expect(bill).toEqual([
        ['q1', 'q2', 'q3'],
        ['q1', 'q5', 'q4', 'q3'],
      ]);
      if (paid.outcome !== 'paid') throw new Error('not paid');
      expect(paid.payment.standing).toBe('delivered');
      await road.sharedCheck(paid.payment.paymentId, alice, bob);
      const left = await unspent(alice);
      expect(left).toContain(ways.short);
      expect(left).not.toContain(ways.long);
    },
  ),
);

it(
  'a relay’s: the verdict says so, the coin is replaced, and the next quote leads round it',
  onRoad(
    { stations: 5, topology: 'ring', stockBits, users: ['alice@q1', 'bob@q3'] },
    async (road) => {
      const { alice } = road;
      const bob = road.user('bob@q3');
      const carol = await road.enrol('carol@q2');
      const short = road.price(['q1', 'q2', 'q3']);
      await alice.station.topUp(alice.name, 10_000n);
      await alice.buy([short, 1]);
      await carol.station.topUp(carol.name, 10_000n);
      await carol.buy([road.price(['q2', 'q3']), 6]);
      const { quoteId } = await alice.quote(bob.name);
      await drain(road, 'q2', 'q3', () => carol.share(bob.name));
      const paying = alice.pay(quoteId);
      await starves(road, 'q2', 'q3');
      road.clock.moveOn(11);
      expect(await paying).toMatchObject({ standing: 'undelivered', reason: 'no-keys' });
      await road.eventually(
        'the coin is replaced',
        async () => (await unspent(alice)).length === 1,
      );
      expect(await unspent(alice)).toEqual([short]);
      const round = await alice.quote(bob.name);
      expect(round.bill.map(({ station }) => station)).toEqual(['q1', 'q5', 'q4', 'q3']);
      await alice.buy([BigInt(round.total), 1]);
      await road.sharedCheck((await alice.pay(round.quoteId)).paymentId, alice, bob);
    },
  ),
);

it(
  'a relay’s: a payment that waits for its keys holds up none that came over the same link (I41)',
  onRoad({ stockBits }, async (road) => {
    const { alice, bob } = road;
    const carol = await road.enrol('carol@q2');
    const frank = await road.enrol('frank@q1');
    await purse(road, alice, 1);
    for (const payer of [carol, frank]) await payer.station.topUp(payer.name, 10_000n);
    await carol.buy([road.price(['q2', 'q3']), 6]);
    await frank.buy([road.price(['q1', 'q2']), 1]);
    const { quoteId } = await alice.quote(bob.name);
    await drain(road, 'q2', 'q3', () => carol.share(bob.name));
    const { paymentId } = await alice.pay(quoteId, { waitMs: 0 });
    await starves(road, 'q2', 'q3');
    const passed = await frank.share(carol.name);
    expect(passed.standing).toBe('delivered');
    await road.sharedCheck(passed.paymentId, frank, carol);
    expect(await road.station('q2').payment(paymentId)).toBeUndefined();
    road.device('q2', 'q3').keysLeft = Number.POSITIVE_INFINITY;
    await road.sharedCheck(paymentId);
  }),
);
