import { describe, expect, it } from 'vitest';
import { trialBalance } from '../../daemon/ledger/trial-balance.ts';
import type { Store } from '../../daemon/store/store.ts';
import {
  alice,
  bob,
  bytesFrom,
  delivered,
  issuerPayment,
  lastPayment,
  newCoin,
  payerWithCoin,
  q1,
  q2,
  relayPayment,
  startMs,
  undelivered,
} from './store-fixture.ts';
import { benchPerTest, type OpenStore } from './store-subject.ts';

export function describeStoreVerdicts(open: OpenStore): void {
  describe('verdicts', () => {
    describeIssuer(open);
    describeOthers(open);
    describeWithoutVerdict(open);
  });
}

async function balances(store: Store): Promise<Record<string, bigint>> {
  const all = await store.balances();
  expect(trialBalance(all)).toBe(0n);
  return Object.fromEntries(all);
}

function describeIssuer(open: OpenStore): void {
  const { store, reopen } = benchPerTest(open);

  it('delivered: the coin is spent and every line is owed', async () => {
    const coin = await payerWithCoin(store(), 'a');
    await store().admit([issuerPayment('a', coin)]);
    expect(await store().decide([delivered('a')])).toEqual([{ outcome: 'decided' }]);
    expect(await balances(await reopen())).toMatchObject({
      'pending-payments': 0n,
      'fees-earned': -5n,
      'payable:q2': -4n,
      'payable:q3': -3n,
    });
    expect((await store().coins([coin.coinId]))[0]?.state).toBe('spent');
    expect(await store().coinSecrets([coin.coinId])).toEqual([undefined]);
    expect(await store().outbox(q2, 10)).toEqual([]);
    expect((await store().payments([bytesFrom('payment', 'a')]))[0]).toMatchObject({
      state: 'delivered',
      receipt: delivered('a').receipt,
      decidedMs: startMs + 1_000,
    });
  });

  it('undelivered: the coin is burned, and its replacement is worth the same', async () => {
    const coin = await payerWithCoin(store(), 'a');
    await store().admit([issuerPayment('a', coin)]);
    const replacement = newCoin('new');
    expect(await store().decide([undelivered('a', replacement)])).toEqual([{ outcome: 'decided' }]);
    expect(await balances(store())).toMatchObject({
      'pending-payments': 0n,
      'coins-outstanding': -12n,
    });
    const [burned, fresh] = await store().coins([coin.coinId, replacement.coinId]);
    expect(burned?.state).toBe('burned');
    expect(fresh).toMatchObject({ state: 'reserved', replaces: coin.coinId });
    expect(await store().coinsOfOrder(bytesFrom('payment', 'a').slice(0, 16))).toEqual([fresh]);
    expect(await store().coinSecrets([replacement.coinId])).toEqual([replacement.secret]);
  });

  it('undelivered without a replacement of the same value is no decision', async () => {
    const coin = await payerWithCoin(store(), 'a');
    await store().admit([issuerPayment('a', coin)]);
    await expect(store().decide([undelivered('a')])).rejects.toMatchObject({ code: 'defect' });
    const cheap = undelivered('a', newCoin('new', 11n));
    await expect(store().decide([cheap])).rejects.toMatchObject({ code: 'defect' });
    expect((await store().payments([bytesFrom('payment', 'a')]))[0]?.state).toBe('admitted');
  });

  it('stick: the first one stays, whatever comes later', async () => {
    const coin = await payerWithCoin(store(), 'a');
    await store().admit([issuerPayment('a', coin)]);
    await store().decide([delivered('a')]);
    const before = await balances(store());
    expect(await store().decide([delivered('a'), undelivered('a', newCoin('new'))])).toMatchObject([
      { outcome: 'exists', row: { state: 'delivered' } },
      { outcome: 'exists', row: { state: 'delivered' } },
    ]);
    expect(await balances(store())).toEqual(before);
    expect((await store().coins([newCoin('new').coinId]))[0]).toBeUndefined();
  });

  it('wait for the payer’s card', async () => {
    const coin = await payerWithCoin(store(), 'a');
    const { paymentId } = issuerPayment('a', coin);
    await store().admit([issuerPayment('a', coin)]);
    expect(await store().unconcluded(alice)).toEqual([]);
    await expect(store().markConcluded([paymentId])).rejects.toMatchObject({ code: 'wrong-state' });
    await store().decide([delivered('a')]);
    expect(await store().unconcluded(alice)).toHaveLength(1);
    await store().markConcluded([paymentId]);
    await store().markConcluded([paymentId]);
    expect(await store().unconcluded(alice)).toEqual([]);
    expect((await store().payments([paymentId]))[0]?.cardConcluded).toBe(true);
  });
}

function describeOthers(open: OpenStore): void {
  const { store } = benchPerTest(open);

  it('delivered elsewhere: the issuer owes the fee, and the receipt goes on', async () => {
    await store().hold([relayPayment('a', newCoin('a'))]);
    const outbox = { peer: q1, record: bytesFrom('receipt record') };
    expect(await store().decide([{ ...delivered('a'), outbox }])).toEqual([
      { outcome: 'decided', outboxRow: 2n },
    ]);
    expect(await balances(store())).toEqual({ 'receivable:q1': 4n, 'fees-earned': -4n });
    expect(await store().outbox(q1, 9)).toMatchObject([{ carries: 'word', record: outbox.record }]);
  });

  it('drop the record that was still to be forwarded', async () => {
    const payment = relayPayment('a', newCoin('a'));
    await store().hold([payment]);
    await store().decide([undelivered('a')]);
    expect(payment.next && (await store().outbox(payment.next, 9))).toEqual([]);
    if (payment.next) await store().confirmOutbox(payment.next, [1n]);
    expect((await store().payments([payment.paymentId]))[0]?.state).toBe('undelivered');
    expect(await balances(store())).toEqual({});
  });

  it('of payments that never came create nothing', async () => {
    expect(await store().decide([delivered('never')])).toEqual([{ outcome: 'unknown-payment' }]);
    expect(await store().payments([bytesFrom('payment', 'never')])).toEqual([undefined]);
  });

  it('at the last station wait for the payee’s card', async () => {
    await store().hold([lastPayment('a', newCoin('a'))]);
    await store().decide([delivered('a')]);
    expect(await store().unconcluded(bob)).toHaveLength(1);
    expect(await store().unconcluded(alice)).toEqual([]);
  });

  it('before the payment are tombstones, and block it for ever', async () => {
    const paymentId = bytesFrom('payment', 'late');
    const stone = { paymentId, receipt: bytesFrom('tombstone') };
    expect(await store().entomb([stone, stone])).toEqual(['created', 'exists']);
    const other = { paymentId, receipt: bytesFrom('other') };
    expect(await store().entomb([other])).toEqual(['exists']);
    expect(await store().tombstone(paymentId)).toEqual(stone.receipt);
    expect(await store().hold([lastPayment('late', newCoin('late'))])).toEqual([
      { outcome: 'entombed', receipt: stone.receipt },
    ]);
    expect(await store().heldSecret(paymentId)).toBeUndefined();
    await store().hold([lastPayment('here', newCoin('here'))]);
    const here = { paymentId: bytesFrom('payment', 'here'), receipt: stone.receipt };
    expect(await store().entomb([here])).toEqual(['payment-known']);
    expect(await store().tombstone(here.paymentId)).toBeUndefined();
  });
}

function describeWithoutVerdict(open: OpenStore): void {
  const { store } = benchPerTest(open);
  const paymentId = bytesFrom('payment', 'a');
  const item = { paymentId, replacement: newCoin('new'), nowMs: startMs };

  async function madeWhole(): Promise<void> {
    await store().admit([issuerPayment('a', await payerWithCoin(store(), 'a'))]);
    expect(await store().makeWhole([item])).toEqual(['created']);
  }

  it('by the resolution deadline make the payer whole, once, at the station’s risk', async () => {
    await madeWhole();
    expect(await store().makeWhole([{ ...item, replacement: newCoin('x') }])).toEqual(['exists']);
    expect(await balances(store())).toMatchObject({
      'pending-payments': -12n,
      'coins-outstanding': -12n,
      'resolution-losses': 12n,
    });
    expect((await store().payments([paymentId]))[0]?.state).toBe('admitted');
    expect((await store().coins([newCoin('x').coinId]))[0]).toBeUndefined();
    const unknown = { ...item, paymentId: bytesFrom('payment', 'x') };
    expect(await store().makeWhole([unknown])).toEqual(['unknown-payment']);
  });

  it('delivered after that still owes every line', async () => {
    await madeWhole();
    await store().decide([delivered('a')]);
    expect(await balances(store())).toMatchObject({
      'pending-payments': 0n,
      'coins-outstanding': -12n,
      'resolution-losses': 12n,
      'payable:q2': -4n,
    });
    expect((await store().coins([newCoin('a').coinId]))[0]?.state).toBe('burned');
  });

  it('undelivered after that makes the loss good, and replaces nothing again', async () => {
    await madeWhole();
    await store().decide([undelivered('a', newCoin('second'))]);
    expect(await balances(store())).toMatchObject({
      'pending-payments': 0n,
      'coins-outstanding': -12n,
      'resolution-losses': 0n,
    });
    expect((await store().coins([newCoin('second').coinId]))[0]).toBeUndefined();
    expect(await store().makeWhole([item])).toEqual(['already-decided']);
    expect(await store().outbox(q2, 9)).toEqual([]);
  });
}
