import { expect, it } from 'vitest';
import { toUserName } from '../../applet-spec/names.ts';
import { holdingsOf, unspent } from './holdings.ts';
import { onRoad, type Road } from './road.ts';
import { pin } from './road-user.ts';

/** Alice's card has signed; her station stops before it has stored anything of the payment. */
async function signedAndCutOff(road: Road): Promise<void> {
  const { alice } = road;
  await alice.station.topUp(alice.name, 100n);
  await alice.buy([road.price(), 2]);
  const { quoteId } = await alice.quote(road.bob.name);
  alice.card.afterNext('pay', () => alice.station.stop());
  await expect(alice.pay(quoteId, { waitMs: 0 })).rejects.toMatchObject({
    code: 'outcome-unknown',
  });
  await road.eventually('q1 has stopped', () => alice.station.deskPort === undefined);
}

it(
  'the issuer stops between the card’s signature and the admission: the payment goes on by itself',
  onRoad({}, async (road) => {
    const { alice } = road;
    await signedAndCutOff(road);
    await alice.station.start();
    const [paid] = await road.eventually('the payment is known', async () => {
      const { payments } = await alice.run('payments', {});
      return payments.length === 1 ? payments : undefined;
    });
    await road.payment('q1', paid?.paymentId ?? '', 'delivered');
    await road.sharedCheck(paid?.paymentId ?? '');
    expect(await unspent(alice)).toEqual([road.price()]);
  }),
);

it(
  'the same, and the quote has expired meanwhile: the coin is replaced by itself',
  onRoad({}, async (road) => {
    const { alice } = road;
    await signedAndCutOff(road);
    expect(await unspent(alice)).toHaveLength(1);
    road.clock.moveOn(150);
    await alice.station.start();
    await road.eventually(
      'the coin is replaced on the card',
      async () => (await unspent(alice)).length === 2,
    );
    expect(alice.cardState.peerKeys.map(({ state }) => state)).toEqual(['burned']);
    const { payments } = await alice.run('payments', {});
    expect(payments).toMatchObject([{ standing: 'refused', reason: 'quote-expired' }]);
    const { users } = await holdingsOf(road);
    expect(users[alice.name]?.outstanding.value).toBe(2n * road.price());
  }),
);

it(
  'the answer to the last step of a refund is lost: the money moves once',
  onRoad({ stations: 2 }, async (road) => {
    const { alice } = road;
    await alice.station.topUp(alice.name, 100n);
    await alice.buy([10n, 3]);
    alice.card.afterNext('eraseCoins', () => alice.station.stop());
    const lines = [{ value: '10', count: 1 }];
    await expect(alice.run('refund', { lines })).rejects.toMatchObject({ code: 'outcome-unknown' });
    await road.eventually('q1 has stopped', () => alice.station.deskPort === undefined);
    await alice.station.start();
    await road.atDesk(alice);
    await road.eventually('the refund has ended', async () => {
      const { account } = await alice.run('balance', {});
      return account === '80';
    });
    expect(alice.host.wallet.orders.pending()).toEqual([]);
    expect(await unspent(alice)).toEqual([10n, 10n]);
    await alice.run('refund', { lines });
    expect((await alice.run('balance', {})).account).toBe('90');
  }),
);

it.each(['refund', 'exchange'] as const)(
  'the card never hears of a %s: it is asked again by itself, and carried out',
  async (kind) => {
    await onRoad({ stations: 2 }, async (road) => {
      const { alice } = road;
      await alice.station.topUp(alice.name, 100n);
      await alice.buy([10n, 3]);
      alice.card.forgeNext('retireCoins', 0x6f00, 'instead');
      const lines = [kind === 'refund' ? { value: '10', count: 1 } : { value: '5', count: 2 }];
      await expect(alice.run(kind, { lines })).rejects.toMatchObject({ code: 'outcome-unknown' });
      await alice.leave();
      await alice.pullCard();
      alice.insertCard();
      await alice.comeBack();
      await road.eventually('the order has ended', async () => {
        await alice.run('balance', {});
        return alice.host.wallet.orders.pending().length === 0;
      });
      const after = kind === 'refund' ? ['80', [10n, 10n]] : ['70', [5n, 5n, 10n, 10n]];
      expect([(await alice.run('balance', {})).account, await unspent(alice)]).toEqual(after);
    })();
  },
);

it.each(['refund', 'exchange'] as const)(
  'the last step of a %s is cut off and the wallet is lost: its coins leave the card all the same',
  async (kind) => {
    await onRoad({ stations: 2 }, async (road) => {
      const { alice } = road;
      await alice.station.topUp(alice.name, 100n);
      await alice.buy([10n, 3]);
      alice.card.forgeNext('eraseCoins', 0x6f00, 'instead');
      const lines = [kind === 'refund' ? { value: '10', count: 1 } : { value: '5', count: 2 }];
      await expect(alice.run(kind, { lines })).rejects.toMatchObject({ code: 'outcome-unknown' });
      const { orders } = alice.host.wallet;
      // As good as lost: nobody asks for this order again.
      for (const { orderId } of orders.pending()) orders.end(orderId, 'refused');
      await alice.leave();
      await alice.pullCard();
      alice.insertCard();
      await alice.comeBack();
      const left = kind === 'refund' ? 2 : 4;
      await road.eventually('the card holds no coin that is money or another coin', async () => {
        return (await alice.run('card-info', {})).coins === left;
      });
      expect(await unspent(alice)).toHaveLength(left);
    })();
  },
);

it(
  'a verdict comes while the card is taken in at the desk: it gets it in that visit',
  onRoad({ users: ['alice@q1', 'bob@q3', 'carol@q3'] }, async (road) => {
    const { alice, bob } = road;
    const carol = road.user('carol@q3');
    await alice.station.topUp(alice.name, 100n);
    await alice.buy([road.price(), 2]);
    const forBob = await alice.quote(bob.name);
    const forCarol = await alice.quote(carol.name);
    await bob.leave();
    await carol.leave();
    const first = await alice.pay(forBob.quoteId, { waitMs: 0 });
    const second = await alice.pay(forCarol.quoteId, { waitMs: 0 });
    await alice.leave();
    await bob.comeBack();
    await road.payment('q1', first.paymentId, 'delivered');
    alice.card.afterNext('conclude', async () => {
      await carol.comeBack();
      await road.payment('q1', second.paymentId, 'delivered');
    });
    await alice.comeBack();
    await road.sharedCheck(first.paymentId, alice, bob);
    await road.sharedCheck(second.paymentId, alice, carol);
  }),
);

it(
  'the last answer of an enrolment is lost: it has ended when the next one says so',
  onRoad({ stations: 2 }, async (road) => {
    const carol = await road.join('carol@q1');
    carol.card.forgeNext('putKey', 0x6f00, 'after');
    await expect(carol.enrol(road.ca.root)).rejects.toMatchObject({ code: 'outcome-unknown' });
    await carol.enrol(road.ca.root);
    await carol.leave();
    const known = await road.station('q1').withStore((store) => store.user(toUserName(carol.name)));
    expect(known?.certificateHash).toBeDefined();
  }),
);

it(
  'the answer to a new handle is lost, and the next handle never arrives: the card is still known',
  onRoad({ stations: 2 }, async (road) => {
    const { alice } = road;
    for (const moment of ['after', 'instead', 'after', 'after', 'instead'] as const) {
      await alice.leave();
      alice.startAgain();
      alice.card.forgeNext('putHandle', 0x6f00, moment);
      await expect(alice.run('connect', {}, { pin })).rejects.toMatchObject({ outcome: 'fault' });
      await road.eventually('the card has been answered falsely', () => alice.card.forged);
    }
    await alice.leave();
    await alice.comeBack();
    await expect(alice.run('connect', {})).resolves.toMatchObject({ user: alice.name });
  }),
);
