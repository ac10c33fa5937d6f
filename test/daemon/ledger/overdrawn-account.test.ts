import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sqliteBench } from '../../contract/sqlite-store-bench.ts';
import type { StoreBench } from '../../contract/store-subject.ts';
import { addUser, alice, newCoin, orderIdFrom, startMs } from '../../contract/store-fixture.ts';

let bench: StoreBench;
beforeEach(async () => {
  bench = await sqliteBench();
  await addUser(bench.store, alice, 11n);
});
afterEach(() => bench.close());

const books = async () => ({
  balances: await bench.store.balances(),
  transfers: await bench.store.transfers(0n, 100),
  coins: await bench.store.outstanding(alice),
});

describe('an account overdrawn', () => {
  it('is refused when coins are bought for more than it holds, and nothing changes', async () => {
    const before = await books();
    const outcome = await bench.store.reserveCoins({
      orderId: orderIdFrom('too much'),
      user: alice,
      lines: [{ value: 12n, count: 1 }],
      coins: [newCoin('too much', 12n)],
      nowMs: startMs,
    });
    expect(outcome).toBe('account-too-low');
    expect(await books()).toEqual(before);
  });

  it('is refused when more is paid out than it holds, and nothing changes', async () => {
    const before = await books();
    expect(await bench.store.payOut(alice, 12n, 'bank 1', startMs)).toBe('balance-too-low');
    expect(await books()).toEqual(before);
    expect(await bench.store.payOut(alice, 11n, 'bank 1', startMs)).toBe('created');
    expect(await bench.store.payOut(alice, 1n, 'bank 2', startMs)).toBe('balance-too-low');
    expect((await bench.store.user(alice))?.balance).toBe(0n);
  });
});
