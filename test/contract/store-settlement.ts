import { describe, expect, it } from 'vitest';
import type { Store } from '../../daemon/store/store.ts';
import {
  alice,
  buyLoaded,
  addUser,
  bytesFrom,
  delivered,
  issuerPayment,
  newCoin,
  orderIdFrom,
  q1,
  q2,
  q3,
  relayPayment,
  startMs,
  threeStations,
  undelivered,
} from './store-fixture.ts';
import { benchPerTest, type OpenStore } from './store-subject.ts';

const names = ['a', 'b', 'c'] as const;

function claimOf(name: string, amount: bigint) {
  return {
    redemptionId: bytesFrom('redemption', name),
    paymentId: bytesFrom('payment', name),
    amount,
  };
}

/** Delivered payments with coins of this station, which q2 carried for 4 each. */
async function issued(store: Store): Promise<void> {
  const coins = names.map((name) => newCoin(name));
  await addUser(store, alice, 36n);
  await buyLoaded(store, alice, orderIdFrom('settled'), coins);
  await store.admit(coins.map((coin, i) => issuerPayment(names[i] ?? '', coin)));
  await store.decide([delivered('a'), delivered('b')]);
}

/** Delivered payments with coins of q9, carried here for 4 each. */
async function carried(store: Store): Promise<void> {
  await store.hold(names.map((name) => ({ ...relayPayment(name, newCoin(name)), issuer: q3 })));
  await store.decide([delivered('a'), delivered('b')]);
}

export function describeStoreSettlement(open: OpenStore): void {
  describe('settlement', () => {
    describeOurClaims(open);
    describeTheirClaims(open);
    describeWindows(open);
  });
}

function describeOurClaims(open: OpenStore): void {
  const { store } = benchPerTest(open);

  it('claims what was delivered here, once', async () => {
    await carried(store());
    const ids = async () => (await store().unclaimed(q3, 10)).map(({ paymentId }) => paymentId);
    expect(await ids()).toEqual([bytesFrom('payment', 'a'), bytesFrom('payment', 'b')]);
    const behind = await store().unclaimed(q3, 10, bytesFrom('payment', 'a'));
    expect(behind.map(({ paymentId }) => paymentId)).toEqual([bytesFrom('payment', 'b')]);
    expect(await store().unclaimed(q3, 10, bytesFrom('payment', 'b'))).toEqual([]);
    const never = store().unclaimed(q3, 10, bytesFrom('payment', 'never'));
    await expect(never).rejects.toMatchObject({ code: 'unknown' });
    await store().openWindow(q3, startMs);
    expect(
      await store().putClaims('ours', q3, 1n, [
        claimOf('a', 4n),
        claimOf('a', 4n),
        claimOf('b', 5n),
        claimOf('c', 4n),
        claimOf('never', 4n),
      ]),
    ).toMatchObject([
      { outcome: 'created' },
      { outcome: 'exists' },
      { outcome: 'wrong-amount' },
      { outcome: 'not-delivered' },
      { outcome: 'unknown-payment' },
    ]);
    expect(await ids()).toEqual([bytesFrom('payment', 'b')]);
    expect((await store().window(q3, 1n))?.ours).toEqual({ count: 1n, amount: 4n });
    await store().openWindow(q1, startMs);
    expect(await store().putClaims('ours', q1, 1n, [claimOf('b', 4n)])).toEqual([
      { outcome: 'not-on-bill' },
    ]);
  });

  it('claims nothing that was not delivered, earned nothing, or was issued here', async () => {
    await issued(store());
    const free = threeStations.map((line) => (line.station === q2 ? { ...line, fee: 0n } : line));
    const [lost, unpaid] = [newCoin('lost'), newCoin('unpaid', 8n)];
    await store().hold([
      { ...relayPayment('lost', lost), issuer: q3 },
      { ...relayPayment('unpaid', unpaid, { bill: free }), issuer: q3 },
    ]);
    await store().decide([undelivered('lost'), delivered('unpaid')]);
    for (const issuer of [q1, q3]) {
      expect(await store().unclaimed(issuer, 10)).toEqual([]);
      expect(await store().unclaimedTotal(issuer)).toEqual({ count: 0n, amount: 0n });
    }
  });

  it('knows its position with each peer', async () => {
    await carried(store());
    await store().openWindow(q3, startMs);
    await store().putClaims('ours', q3, 1n, [claimOf('a', 4n)]);
    expect(await store().positions()).toEqual([
      { peer: q3, payable: 0n, receivable: 8n, inFlight: 4n },
    ]);
    await store().hold([relayPayment('of q1', newCoin('of q1'))]);
    expect(await store().positions()).toEqual([
      { peer: q1, payable: 0n, receivable: 0n, inFlight: 4n },
      { peer: q3, payable: 0n, receivable: 8n, inFlight: 4n },
    ]);
    expect(await store().unclaimedTotal(q3)).toEqual({ count: 1n, amount: 4n });
    expect(await store().unclaimedTotal(q1)).toEqual({ count: 0n, amount: 0n });
  });
}

function describeTheirClaims(open: OpenStore): void {
  const { store } = benchPerTest(open);

  it('takes what the bill says, of delivered payments, once', async () => {
    await issued(store());
    await store().openWindow(q2, startMs);
    const other = { ...claimOf('a', 4n), redemptionId: bytesFrom('another ID') };
    expect(
      await store().putClaims('theirs', q2, 1n, [
        claimOf('a', 4n),
        other,
        claimOf('b', 3n),
        claimOf('c', 4n),
      ]),
    ).toMatchObject([
      { outcome: 'created' },
      { outcome: 'exists', claim: { redemptionId: bytesFrom('redemption', 'a') } },
      { outcome: 'wrong-amount' },
      { outcome: 'not-delivered' },
    ]);
    expect(await store().claim(claimOf('a', 4n).redemptionId)).toMatchObject({ peer: q2 });
    expect(await store().claims('theirs', q2, 1n, undefined, 10)).toHaveLength(1);
  });

  it('refuses another’s line and a station that is not on the bill', async () => {
    await issued(store());
    await store().openWindow(q3, startMs);
    const four = await store().putClaims('theirs', q3, 1n, [claimOf('a', 4n)]);
    expect(four).toEqual([{ outcome: 'wrong-amount' }]);
    await store().openWindow(q1, startMs);
    const self = await store().putClaims('theirs', q1, 1n, [claimOf('a', 5n)]);
    expect(self).toEqual([{ outcome: 'not-on-bill' }]);
  });
}

function describeWindows(open: OpenStore): void {
  const { store, reopen } = benchPerTest(open);
  const none = { count: 0n, amount: 0n };
  const four = { count: 1n, amount: 4n };

  it('go open, closed, agreed, paid, and are booked once', async () => {
    await issued(store());
    await store().openWindow(q2, startMs);
    await store().putClaims('theirs', q2, 1n, [claimOf('a', 4n)]);
    const theirWord = { ours: four, theirs: none };
    const agree = () => store().agreeWindow(q2, 1n, theirWord, bytesFrom('signed'));
    expect(await agree()).toBe('not-closed');
    expect(await store().closeWindow(q2, 1n)).toBe('closed');
    expect(await store().closeWindow(q2, 1n)).toBe('exists');
    expect(await store().putClaims('theirs', q2, 1n, [claimOf('b', 4n)])).toEqual([
      { outcome: 'window-not-open' },
    ]);
    expect(
      await store().agreeWindow(q2, 1n, { ours: none, theirs: four }, bytesFrom('signed')),
    ).toBe('totals-differ');
    for (const ours of [
      { count: 1n, amount: 5n },
      { count: 2n, amount: 4n },
    ]) {
      const other = { ours, theirs: none };
      expect(await store().agreeWindow(q2, 1n, other, bytesFrom('signed'))).toBe('totals-differ');
    }
    expect(await store().payWindow(q2, 1n, 'bank 1', startMs)).toBe('not-agreed');
    expect(await agree()).toBe('agreed');
    expect(await agree()).toBe('exists');
    expect(await store().payWindow(q2, 1n, 'bank 1', startMs)).toBe('paid');
    expect(await store().payWindow(q2, 1n, 'bank 2', startMs)).toBe('exists');
    const again = await reopen();
    expect((await again.balances()).get('payable:q2')).toBe(-4n);
    expect((await again.balances()).get('cash')).toBe(32n);
    expect(await again.window(q2, 1n)).toMatchObject({ state: 'paid', paidBy: 'bank 1' });
  });

  it('that were never opened are neither agreed nor paid, and hold no claim', async () => {
    await issued(store());
    const nothing = { ours: none, theirs: none };
    expect(await store().putClaims('theirs', q2, 1n, [claimOf('a', 4n)])).toEqual([
      { outcome: 'window-not-open' },
    ]);
    expect(await store().agreeWindow(q2, 1n, nothing, bytesFrom('signed'))).toBe('unknown-window');
    expect(await store().payWindow(q2, 1n, 'bank', startMs)).toBe('unknown-window');
    expect((await store().balances()).get('payable:q2')).toBe(-8n);
  });

  it('tell their claims in pages, each side’s and each peer’s apart', async () => {
    await issued(store());
    for (const peer of [q2, q3]) await store().openWindow(peer, startMs);
    await store().putClaims('theirs', q2, 1n, [claimOf('a', 4n), claimOf('b', 4n)]);
    const ofQ3 = { ...claimOf('a', 3n), redemptionId: bytesFrom('redemption of q3') };
    expect(await store().putClaims('theirs', q3, 1n, [ofQ3])).toEqual([{ outcome: 'created' }]);
    expect(await store().claims('theirs', q3, 1n, undefined, 10)).toMatchObject([{ amount: 3n }]);
    expect(await store().window(q2, 1n)).toMatchObject({ theirs: { count: 2n, amount: 8n } });
    const idsOf = async (after?: Uint8Array, limit = 10) =>
      (await store().claims('theirs', q2, 1n, after, limit)).map(({ paymentId }) => paymentId);
    const [a, b] = [bytesFrom('payment', 'a'), bytesFrom('payment', 'b')];
    expect(await idsOf()).toEqual([a, b]);
    expect(await idsOf(undefined, 1)).toEqual([a]);
    expect(await idsOf(claimOf('a', 4n).redemptionId)).toEqual([b]);
    expect(await idsOf(claimOf('b', 4n).redemptionId)).toEqual([]);
    expect(await store().claims('ours', q2, 1n, undefined, 10)).toEqual([]);
    expect(await store().claims('theirs', q2, 2n, undefined, 10)).toEqual([]);
  });

  it('clear what the peer owes', async () => {
    await carried(store());
    await store().openWindow(q3, startMs);
    await store().putClaims('ours', q3, 1n, [claimOf('a', 4n), claimOf('b', 4n)]);
    await store().closeWindow(q3, 1n);
    const eight = { count: 2n, amount: 8n };
    await store().agreeWindow(q3, 1n, { ours: none, theirs: eight }, bytesFrom('signed'));
    await store().payWindow(q3, 1n, 'bank', startMs);
    expect(Object.fromEntries(await store().balances())).toEqual({
      'receivable:q3': 0n,
      'fees-earned': -8n,
      cash: 8n,
    });
  });

  it('follow each other, one open at a time, in the same sequence on both sides', async () => {
    expect((await store().openWindow(q2, startMs)).sequence).toBe(1n);
    expect((await store().openWindow(q2, startMs)).sequence).toBe(1n);
    expect(await store().joinWindow(q2, 1n, startMs)).toBe('exists');
    expect(await store().joinWindow(q2, 2n, startMs)).toBe('out-of-sequence');
    await store().closeWindow(q2, 1n);
    expect(await store().joinWindow(q2, 3n, startMs)).toBe('out-of-sequence');
    expect(await store().joinWindow(q2, 2n, startMs)).toBe('created');
    expect((await store().windows(q2, 0n, 10)).map(({ state }) => state)).toEqual([
      'closed',
      'open',
    ]);
    expect(await store().windows(q2, 1n, 10)).toMatchObject([{ sequence: 2n }]);
    expect(await store().windows(q2, 0n, 1)).toMatchObject([{ sequence: 1n }]);
    expect(await store().closeWindow(q2, 9n)).toBe('unknown-window');
  });
}
