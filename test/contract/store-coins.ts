import { describe, expect, it } from 'vitest';
import type { CoinState, NewCoin, Store } from '../../daemon/store/store.ts';
import {
  addUser,
  alice,
  bob,
  buyLoaded,
  carol,
  delivered,
  issuerPayment,
  newCoin,
  orderIdFrom,
  startMs,
  startSeconds,
  undelivered,
} from './store-fixture.ts';
import { benchPerTest, type OpenStore } from './store-subject.ts';

const orderId = orderIdFrom('first');

async function states(store: Store, coins: readonly NewCoin[]): Promise<(CoinState | undefined)[]> {
  const rows = await store.coins(coins.map(({ coinId }) => coinId));
  return rows.map((row) => row?.state);
}

function buy(store: Store, coins: readonly NewCoin[], id = orderId, user = alice) {
  const lines = coins.map(({ value }) => ({ value, count: 1 }));
  return store.reserveCoins({ orderId: id, user, lines, coins, nowMs: startMs });
}

export function describeStoreCoins(open: OpenStore): void {
  describe('coins', () => {
    describeBuying(open);
    describeRetiring(open);
    describeExpiry(open);
  });
}

function describeBuying(open: OpenStore): void {
  const { store, reopen } = benchPerTest(open);
  const coins = [newCoin('a', 5n), newCoin('b', 7n)];
  const ids = coins.map(({ coinId }) => coinId);

  it('are bought from the account, once per order', async () => {
    await addUser(store(), alice, 20n);
    expect(await buy(store(), coins)).toBe('created');
    expect(await buy(store(), coins)).toBe('exists');
    expect(await buy(store(), [newCoin('c', 5n)])).toBe('order-conflict');
    expect(await buy(store(), coins, orderId, carol)).toBe('order-conflict');
    expect((await store().user(alice))?.balance).toBe(8n);
    expect((await store().balances()).get('coins-outstanding')).toBe(-12n);
    expect(await store().outstanding(alice)).toEqual({ coins: 2, value: 12n });
    expect(await store().outstanding(carol)).toEqual({ coins: 0, value: 0n });
    expect(await states(store(), coins)).toEqual(['reserved', 'reserved']);
  });

  it('are refused to an account that is too low, and to strangers', async () => {
    await addUser(store(), alice, 11n);
    expect(await buy(store(), coins)).toBe('account-too-low');
    expect(await buy(store(), coins, orderId, bob)).toBe('unknown-user');
    expect(await store().coins(ids)).toEqual([undefined, undefined]);
    expect((await store().user(alice))?.balance).toBe(11n);
  });

  it('must be the ones ordered', async () => {
    await addUser(store(), alice, 100n);
    const order = { orderId, user: alice, nowMs: startMs };
    const lines = [{ value: 5n, count: 2 }];
    await expect(store().reserveCoins({ ...order, lines, coins })).rejects.toThrow('of the order');
    const twice = [newCoin('a', 5n), newCoin('a', 5n)];
    await expect(store().reserveCoins({ ...order, lines, coins: twice })).rejects.toThrow();
    expect((await store().user(alice))?.balance).toBe(100n);
  });

  it('go from reserved by loading to unspent, and no other way', async () => {
    await addUser(store(), alice, 20n);
    await buy(store(), coins);
    await expect(store().markLoaded(ids)).rejects.toMatchObject({ code: 'wrong-state' });
    await store().markLoading(ids);
    await store().markLoading(ids);
    expect(await states(store(), coins)).toEqual(['loading', 'loading']);
    await store().markLoaded(ids);
    await store().markLoaded(ids);
    await store().markLoading(ids);
    expect(await states(store(), coins)).toEqual(['unspent', 'unspent']);
    await expect(store().markLoaded([newCoin('x').coinId])).rejects.toMatchObject({
      code: 'unknown',
    });
  });

  it('keep their secrets, sealed, and their public parts', async () => {
    await addUser(store(), alice, 20n);
    await buy(store(), coins);
    const again = await reopen();
    expect(await again.coinSecrets([...ids, newCoin('x').coinId])).toEqual([
      ...coins.map(({ secret }) => secret),
      undefined,
    ]);
    const { secret: _secret, ...first } = newCoin('a', 5n);
    expect((await again.coinsOfOrder(orderId)).map(({ coinId }) => coinId)).toHaveLength(2);
    expect((await again.coins(ids))[0]).toEqual({
      ...first,
      owner: alice,
      state: 'reserved',
      orderId,
    });
  });

  it('are listed by owner and state in pages', async () => {
    await addUser(store(), alice, 100n);
    const many = Array.from({ length: 5 }, (_, i) => newCoin(`many ${i}`, 3n));
    await buyLoaded(store(), alice, orderId, many);
    await buy(store(), [newCoin('reserved', 3n)], orderIdFrom('second'));
    const first = await store().coinsOf(alice, ['unspent'], undefined, 3);
    const rest = await store().coinsOf(alice, ['unspent', 'spent'], first.at(-1)?.coinId, 3);
    expect([first.length, rest.length]).toEqual([3, 2]);
    expect(await store().coinsOf(alice, ['reserved', 'pending'], undefined, 9)).toHaveLength(1);
    expect(await store().coinsOf(carol, ['unspent'], undefined, 9)).toEqual([]);
  });
}

function describeRetiring(open: OpenStore): void {
  const { store } = benchPerTest(open);
  const coins = [newCoin('a', 5n), newCoin('b', 7n)];
  const coinIds = coins.map(({ coinId }) => coinId);
  const refundId = orderIdFrom('refund');
  const refund = {
    orderId: refundId,
    user: alice,
    operation: 'refund',
    coinIds,
    replacements: [],
    nowMs: startMs,
  } as const;
  const replacements = [newCoin('c', 6n), newCoin('d', 6n)];
  const exchange = { ...refund, operation: 'exchange', replacements } as const;

  async function withCoins(): Promise<void> {
    await addUser(store(), alice, 12n);
    await buyLoaded(store(), alice, orderId, coins);
  }

  it('given back become money, once, and their secrets are erased', async () => {
    await withCoins();
    expect(await store().retire(refund)).toBe('created');
    expect(await store().retire(refund)).toBe('exists');
    expect(await store().retire({ ...refund, coinIds: [coinIds[0] ?? refundId] })).toBe(
      'order-conflict',
    );
    expect((await store().user(alice))?.balance).toBe(0n);
    expect(await store().openRetirements(alice)).toMatchObject([{ operation: 'refund' }]);
    await store().finishRetirement(refundId, startMs);
    await store().finishRetirement(refundId, startMs);
    expect((await store().user(alice))?.balance).toBe(12n);
    expect(await states(store(), coins)).toEqual(['refunded', 'refunded']);
    expect(await store().coinSecrets(coinIds)).toEqual([undefined, undefined]);
    expect(await store().openRetirements(alice)).toEqual([]);
    expect((await store().balances()).get('coins-outstanding')).toBe(0n);
    await expect(store().cancelRetirement(refundId)).rejects.toMatchObject({ code: 'wrong-state' });
  });

  it('exchanged become other coins of the same sum, when the card has let them go', async () => {
    await withCoins();
    expect(await store().retire(exchange)).toBe('created');
    expect(await store().coinsOfOrder(refundId)).toEqual([]);
    expect(await store().outstanding(alice)).toEqual({ coins: 2, value: 12n });
    await store().finishRetirement(refundId, startMs);
    expect(await states(store(), coins)).toEqual(['exchanged', 'exchanged']);
    expect(await states(store(), replacements)).toEqual(['reserved', 'reserved']);
    expect(await store().coinSecrets(replacements.map(({ coinId }) => coinId))).toEqual(
      replacements.map(({ secret }) => secret),
    );
    expect(await store().outstanding(alice)).toEqual({ coins: 2, value: 12n });
  });

  it('are exchanged for what was asked for first: the same ID asks for nothing else', async () => {
    await withCoins();
    const lines = [{ value: 6n, count: 2 }];
    const first = { ...exchange, lines };
    expect(await store().retire(first)).toBe('created');
    expect(await store().retire({ ...first, replacements: [] })).toBe('exists');
    const others = { ...exchange, replacements: [], lines: [{ value: 12n, count: 1 }] };
    expect(await store().retire(others)).toBe('order-conflict');
    await store().finishRetirement(refundId, startMs);
    expect(await store().retire(others)).toBe('order-conflict');
    expect(await store().retire({ ...first, replacements: [] })).toBe('exists');
  });

  it('go back to the pool when the card never authorised it', async () => {
    await withCoins();
    await store().retire(exchange);
    await store().cancelRetirement(refundId);
    await store().cancelRetirement(refundId);
    expect(await states(store(), coins)).toEqual(['unspent', 'unspent']);
    expect(await states(store(), replacements)).toEqual([undefined, undefined]);
    expect(await store().retire({ ...exchange, orderId: orderIdFrom('again') })).toBe('created');
    await expect(store().finishRetirement(refundId, startMs)).rejects.toMatchObject({
      code: 'wrong-state',
    });
  });

  it('are retired by an order that was cancelled and is asked again, and by no other', async () => {
    await withCoins();
    await store().retire(exchange);
    await store().cancelRetirement(refundId);
    expect(await store().retire(refund)).toBe('order-conflict');
    const others = [newCoin('e', 6n), newCoin('f', 6n)];
    expect(await store().retire({ ...exchange, replacements: others })).toBe('created');
    expect(await states(store(), coins)).toEqual(['retiring', 'retiring']);
    expect(await store().openRetirements(alice)).toMatchObject([{ operation: 'exchange' }]);
    await store().finishRetirement(refundId, startMs);
    expect(await states(store(), coins)).toEqual(['exchanged', 'exchanged']);
    expect(await states(store(), others)).toEqual(['reserved', 'reserved']);
    expect(await states(store(), replacements)).toEqual([undefined, undefined]);
    expect(await store().retire(exchange)).toBe('exists');
  });

  it('of one order go their own way, whatever becomes of another', async () => {
    await withCoins();
    const [first, second] = [orderIdFrom('one'), orderIdFrom('two')];
    for (const [i, id] of [first, second].entries()) {
      const mine = coinIds.slice(i, i + 1);
      expect(await store().retire({ ...refund, orderId: id, coinIds: mine })).toBe('created');
    }
    expect(await store().openRetirements(carol)).toEqual([]);
    await store().cancelRetirement(first);
    expect(await states(store(), coins)).toEqual(['unspent', 'retiring']);
    expect(await store().openRetirements(alice)).toMatchObject([{ orderId: second }]);
    await store().finishRetirement(second, startMs);
    expect(await states(store(), coins)).toEqual(['unspent', 'refunded']);
    expect((await store().user(alice))?.balance).toBe(7n);
  });

  it('that were bought are not given back by the order that bought them', async () => {
    await withCoins();
    expect(await store().retire({ ...refund, orderId })).toBe('order-conflict');
    const unknown = { code: 'unknown' };
    for (const id of [orderId, orderIdFrom('never given')]) {
      await expect(store().finishRetirement(id, startMs)).rejects.toMatchObject(unknown);
      await expect(store().cancelRetirement(id)).rejects.toMatchObject(unknown);
    }
    expect(await store().retire(refund)).toBe('created');
    expect(await buy(store(), coins, refundId)).toBe('order-conflict');
    expect(await states(store(), coins)).toEqual(['retiring', 'retiring']);
  });

  it('are not retired twice, nor by another, nor for another sum', async () => {
    await withCoins();
    const first = coinIds[0] ?? refundId;
    const other = orderIdFrom('other');
    expect(await store().retire({ ...refund, coinIds: [first, first] })).toBe('coin-not-unspent');
    expect(await store().retire({ ...refund, user: carol })).toBe('coin-not-unspent');
    const unknown = [first, newCoin('of nobody').coinId];
    expect(await store().retire({ ...refund, coinIds: unknown })).toBe('coin-not-unspent');
    expect(await store().retire({ ...exchange, coinIds: [first] })).toBe('sums-differ');
    expect(await store().retire({ ...refund, replacements })).toBe('sums-differ');
    expect(await store().retire({ ...refund, coinIds: [first] })).toBe('created');
    expect(await store().retire({ ...refund, orderId: other })).toBe('coin-not-unspent');
    expect(await states(store(), coins)).toEqual(['retiring', 'unspent']);
  });
}

function describeExpiry(open: OpenStore): void {
  const { store } = benchPerTest(open);

  it('expire into the account, wherever they are but in use', async () => {
    await addUser(store(), alice, 30n);
    const soon = startSeconds + 100n;
    const old = [newCoin('a', 5n, soon), newCoin('b', 7n, soon), newCoin('c', 1n, soon)];
    await buyLoaded(store(), alice, orderId, old.slice(0, 2));
    await buy(store(), old.slice(2), orderIdFrom('reserved'));
    await buyLoaded(store(), alice, orderIdFrom('young'), [newCoin('d', 2n)]);
    await store().retire({
      orderId: orderIdFrom('refund'),
      user: alice,
      operation: 'refund',
      coinIds: old.slice(0, 1).map(({ coinId }) => coinId),
      replacements: [],
      nowMs: startMs,
    });
    expect(await store().expireCoins(soon - 1n, 10)).toBe(0);
    expect(await store().expireCoins(soon, 1)).toBe(1);
    expect(await store().expireCoins(soon, 10)).toBe(1);
    expect(await store().expireCoins(soon, 10)).toBe(0);
    expect(await states(store(), old)).toEqual(['retiring', 'expired', 'expired']);
    expect((await store().user(alice))?.balance).toBe(23n);
    expect((await store().balances()).get('coins-outstanding')).toBe(-7n);
  });

  it('in a payment do not expire, nor those that have paid', async () => {
    await addUser(store(), alice, 36n);
    const soon = startSeconds + 100n;
    const paying = ['a', 'b', 'c'].map((name) => newCoin(name, 12n, soon));
    await buyLoaded(store(), alice, orderId, paying);
    await store().admit(paying.map((coin, i) => issuerPayment(`${i}`, coin)));
    await store().decide([delivered('0'), undelivered('1', newCoin('new'))]);
    expect(await store().expireCoins(soon, 10)).toBe(0);
    expect(await states(store(), paying)).toEqual(['spent', 'burned', 'pending']);
    expect((await store().user(alice))?.balance).toBe(0n);
  });

  it('that expired are known to lie on their card until it has erased them', async () => {
    await addUser(store(), alice, 30n);
    const soon = startSeconds + 10n;
    const coins = ['a', 'b', 'c'].map((name) => newCoin(name, 5n, soon));
    await buyLoaded(store(), alice, orderId, coins.slice(0, 2));
    await buy(store(), coins.slice(2), orderIdFrom('reserved'));
    expect(await store().worthlessOnCard(alice, 10)).toEqual([]);
    await store().expireCoins(soon, 10);
    const onCard = await store().worthlessOnCard(alice, 10);
    expect(onCard).toHaveLength(2);
    expect(await store().worthlessOnCard(alice, 1)).toEqual(onCard.slice(0, 1));
    expect(await store().worthlessOnCard(carol, 10)).toEqual([]);
    await store().markErased(onCard.slice(0, 1));
    expect(await store().worthlessOnCard(alice, 10)).toEqual(onCard.slice(1));
  });

  it('that were given back are known to lie on their card until it has erased them', async () => {
    await addUser(store(), alice, 30n);
    const coins = ['a', 'b'].map((name) => newCoin(name, 5n));
    await buyLoaded(store(), alice, orderId, coins);
    const coinIds = coins.slice(0, 1).map(({ coinId }) => coinId);
    const refund = { orderId: orderIdFrom('refund'), user: alice, operation: 'refund' } as const;
    await store().retire({ ...refund, coinIds, replacements: [], nowMs: startMs });
    expect(await store().worthlessOnCard(alice, 10)).toEqual([]);
    await store().finishRetirement(refund.orderId, startMs);
    expect(await store().worthlessOnCard(alice, 10)).toEqual(coinIds);
    await store().markErased(coinIds);
    await store().finishRetirement(refund.orderId, startMs);
    expect(await store().worthlessOnCard(alice, 10)).toEqual([]);
  });
}
