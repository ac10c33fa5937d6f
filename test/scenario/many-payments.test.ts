import { expect, it } from 'vitest';
import { toHex } from '../../applet-spec/bytes.ts';
import { refusalOf } from './refusal.ts';
import { holdingsOf, unspent } from './holdings.ts';
import { onRoad } from './road.ts';

it(
  'ten payments one after the other use ten coins, drawn at random (S32), and make ten keys',
  onRoad({}, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(), 10]);
    const bought = alice.cardState.coins.map(({ coinId }) => toHex(coinId));
    const used: string[] = [];
    const checks = new Set<string>();
    for (let i = 0; i < 10; i++) {
      const { paymentId, standing } = await alice.share(bob.name);
      expect(standing).toBe('delivered');
      checks.add(await road.sharedCheck(paymentId));
      used.push(toHex((await road.payment('q1', paymentId, 'delivered')).coinId));
    }
    expect(checks.size).toBe(10);
    expect([...used].sort()).toEqual([...bought].sort());
    // One order in 3.6 million is the order of the pool.
    expect(used).not.toEqual(bought);
    expect(await unspent(alice)).toEqual([]);
    const { stations } = await holdingsOf(road);
    expect(stations['q3']?.balances).toEqual({ 'fees-earned': -40n, 'receivable:q1': 40n });
  }),
);

it(
  'a repeated pay for the same quote is the same payment, however it is repeated',
  onRoad({}, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(), 3]);
    const { quoteId } = await alice.quote(bob.name);
    const [first, second] = await Promise.all([alice.pay(quoteId), alice.pay(quoteId)]);
    expect(second).toEqual(first);
    await road.sharedCheck(first.paymentId);
    await alice.leave();
    await alice.comeBack();
    expect(await alice.pay(quoteId)).toEqual(first);
    expect(await unspent(alice)).toHaveLength(2);
    expect((await alice.run('payments', {})).payments).toHaveLength(1);
  }),
);

it(
  'an answer that is lost on its way is asked for again, and nothing is paid twice',
  onRoad({}, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(), 3]);
    const { quoteId } = await alice.quote(bob.name);
    alice.card.afterNext('pay', () => alice.station.deskWire.cut());
    const lost = await refusalOf(alice.pay(quoteId));
    expect(lost.outcome).toBe('unknown');
    expect(lost.words).toContain('a quote is paid once, however often');
    await alice.station.deskWire.mend();
    road.clock.moveOn(2);
    await road.atDesk(alice);
    const paid = await alice.pay(quoteId);
    await road.sharedCheck(paid.paymentId);
    expect(await unspent(alice)).toHaveLength(2);
  }),
);

it(
  'a card that is pulled before its answer is seen has paid once, when it is put back',
  onRoad({}, async (road) => {
    const { alice, bob } = road;
    await alice.station.topUp(alice.name, 1_000n);
    await alice.buy([road.price(), 3]);
    const { quoteId } = await alice.quote(bob.name);
    alice.card.afterNext('pay', () => alice.pullCard());
    const pulled = await refusalOf(alice.pay(quoteId));
    expect(pulled.outcome).not.toBe('refused');
    alice.insertCard();
    road.clock.moveOn(2);
    await road.atDesk(alice);
    const paid = await alice.pay(quoteId);
    await road.sharedCheck(paid.paymentId);
    expect(await unspent(alice)).toHaveLength(2);
    expect((await road.station('q1').books()).payments).toBe(1);
  }),
);

it(
  'two users who pay each other’s stations at once each get their own key',
  onRoad({ users: ['alice@q1', 'bob@q3', 'carol@q1', 'dora@q3'] }, async (road) => {
    const { alice, bob } = road;
    const [carol, dora] = [road.user('carol@q1'), road.user('dora@q3')];
    for (const user of road.users) {
      await user.station.topUp(user.name, 100n);
      await user.buy([road.price(), 2]);
    }
    const paid = await Promise.all([
      alice.share(bob.name),
      carol.share(dora.name),
      bob.share(alice.name),
      dora.share(alice.name),
    ]);
    expect(paid.map(({ standing }) => standing)).toEqual(Array(4).fill('delivered'));
    const ids = paid.map(({ paymentId }) => paymentId);
    const [ab = '', cd = '', ba = '', da = ''] = ids;
    const checks = await Promise.all([
      road.sharedCheck(ab, alice, bob),
      road.sharedCheck(cd, carol, dora),
      road.sharedCheck(ba, bob, alice),
      road.sharedCheck(da, dora, alice),
    ]);
    expect(new Set(checks).size).toBe(4);
    for (const user of road.users) expect(await unspent(user)).toHaveLength(1);
  }),
);
