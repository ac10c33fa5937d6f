import { describe, expect, it } from 'vitest';
import {
  addUser,
  alice,
  bob,
  buyLoaded,
  bytesFrom,
  carol,
  delivered,
  issuerPayment,
  lastPayment,
  newCoin,
  orderIdFrom,
  payerWithCoin,
  q1,
  q2,
  q3,
  relayPayment,
  startMs,
  startSeconds,
  threeStations,
  undelivered,
} from './store-fixture.ts';
import { benchPerTest, type OpenStore } from './store-subject.ts';

export function describeStorePayments(open: OpenStore): void {
  describe('payments', () => {
    describeAdmission(open);
    describeHolding(open);
    describeRefusing(open);
    describeOutbox(open);
    describeReading(open);
  });
}

function describeAdmission(open: OpenStore): void {
  const { store, reopen } = benchPerTest(open);

  it('admitted take their coin, their value and a row of the outbox with them', async () => {
    const coin = await payerWithCoin(store(), 'a');
    const payment = issuerPayment('a', coin);
    const [admitted] = await store().admit([payment]);
    expect(admitted).toEqual({ outcome: 'created', outboxRow: 1n });
    const again = await reopen();
    const [row] = await again.payments([payment.paymentId]);
    const { bill: _b, payerCertificate, outbox, ...stored } = payment;
    expect(row).toEqual({ ...stored, state: 'admitted', cardConcluded: false });
    expect((await again.coins([coin.coinId]))[0]).toMatchObject({
      state: 'pending',
      paymentId: payment.paymentId,
    });
    expect(Object.fromEntries(await again.balances())).toMatchObject({
      'coins-outstanding': 0n,
      'pending-payments': -12n,
    });
    expect(await again.outbox(q2, 10)).toMatchObject([{ carries: 'payment', record: outbox }]);
    const [hash] = await again.putCertificates([payerCertificate]);
    expect(hash && (await again.certificate(hash))).toEqual(payerCertificate);
  });

  it('admitted again are the first stored, also within one call', async () => {
    const coin = await payerWithCoin(store(), 'a');
    const payment = issuerPayment('a', coin);
    const other = { ...payment, payment: bytesFrom('other signature') };
    const [first, second] = await store().admit([payment, other]);
    expect(first?.outcome).toBe('created');
    expect(second).toMatchObject({ outcome: 'exists', row: { payment: payment.payment } });
    expect(await store().admit([other])).toMatchObject([{ outcome: 'exists' }]);
    expect(await store().outbox(q2, 10)).toHaveLength(1);
    expect((await store().balances()).get('pending-payments')).toBe(-12n);
  });

  it('with a coin of another payment are refused with that payment as evidence', async () => {
    const coin = await payerWithCoin(store(), 'a');
    const second = issuerPayment('b', coin);
    const outcomes = await store().admit([issuerPayment('a', coin), second]);
    expect(outcomes[1]).toEqual({ outcome: 'coin-used', by: bytesFrom('payment', 'a') });
    expect(await store().payments([second.paymentId])).toEqual([undefined]);
  });

  it('with a coin that is not the payer’s to spend are refused', async () => {
    const coin = await payerWithCoin(store(), 'a');
    await addUser(store(), carol, 0n);
    const unknown = { outcome: 'coin-not-unspent', state: 'unknown' };
    const wrongValue = { ...coin, value: 13n };
    const bill = [...threeStations.slice(0, 2), { station: q3, fee: 4n }];
    expect(
      await store().admit([
        issuerPayment('a', newCoin('never issued')),
        issuerPayment('b', coin, { payer: carol }),
        issuerPayment('c', wrongValue, { bill }),
      ]),
    ).toEqual([unknown, unknown, unknown]);
    expect((await store().coins([coin.coinId]))[0]?.state).toBe('unspent');
  });

  it('with a coin that is not on the card, being given back, or expired are refused', async () => {
    const soon = startSeconds + 10n;
    const [reserved, retiring, expired] = [newCoin('r'), newCoin('g'), newCoin('e', 12n, soon)];
    await addUser(store(), alice, 36n);
    const orderId = orderIdFrom('r');
    const lines = [{ value: 12n, count: 1 }];
    const coinIds = [retiring.coinId];
    await store().reserveCoins({ orderId, user: alice, lines, coins: [reserved], nowMs: startMs });
    await buyLoaded(store(), alice, orderIdFrom('others'), [retiring, expired]);
    const refund = { orderId: orderIdFrom('refund'), user: alice, operation: 'refund' } as const;
    await store().retire({ ...refund, coinIds, replacements: [], nowMs: startMs });
    await store().expireCoins(soon, 9);
    const all = [reserved, retiring, expired];
    expect(await store().admit(all.map((coin, i) => issuerPayment(`${i}`, coin)))).toEqual(
      (['reserved', 'retiring', 'expired'] as const).map((state) => ({
        outcome: 'coin-not-unspent',
        state,
      })),
    );
    expect((await store().balances()).get('pending-payments')).toBeUndefined();
  });

  it('at another station than the issuer, or without a way on, are defects', async () => {
    const coin = await payerWithCoin(store(), 'a');
    const payment = issuerPayment('a', coin);
    const { outbox: _record, ...silent } = payment;
    const { next: _next, ...aimless } = payment;
    for (const bad of [relayPayment('a', coin), silent, aimless]) {
      await expect(store().admit([bad])).rejects.toMatchObject({ code: 'defect' });
    }
    const refusing = { refusal: bytesFrom('no'), replacement: newCoin('new') };
    const foreign = { ...refusing, payment: relayPayment('a', coin) };
    await expect(store().refuse([foreign])).rejects.toMatchObject({ code: 'defect' });
    expect(await store().eachPayment(undefined, 9)).toEqual([]);
    expect((await store().coins([coin.coinId]))[0]?.state).toBe('unspent');
  });

  it('whose bill is not their value abort the whole call', async () => {
    const coin = await payerWithCoin(store(), 'a');
    const good = issuerPayment('a', coin);
    const bad = issuerPayment('b', newCoin('b'), { bill: threeStations.slice(1) });
    await expect(store().admit([good, bad])).rejects.toMatchObject({ code: 'defect' });
    expect(await store().payments([good.paymentId])).toEqual([undefined]);
    expect((await store().coins([coin.coinId]))[0]?.state).toBe('unspent');
    expect(await store().outbox(q2, 10)).toEqual([]);
  });

  it('with a fault leave the calls beside them alone', async () => {
    const coin = await payerWithCoin(store(), 'a');
    const lost = await payerWithCoin(store(), 'lost');
    const bad = issuerPayment('b', newCoin('b'), { bill: threeStations.slice(1) });
    const [before, refused, after] = await Promise.allSettled([
      store().topUp(alice, 1n, 'before', startMs),
      store().admit([issuerPayment('lost', lost), bad]),
      store().admit([issuerPayment('a', coin)]),
    ]);
    expect([before.status, refused.status]).toEqual(['fulfilled', 'rejected']);
    expect(after).toMatchObject({ status: 'fulfilled', value: [{ outcome: 'created' }] });
    const states = (await store().coins([coin.coinId, lost.coinId])).map((row) => row?.state);
    expect(states).toEqual(['pending', 'unspent']);
    expect(await store().payments([bytesFrom('payment', 'lost')])).toEqual([undefined]);
    expect(await store().admit([issuerPayment('lost', lost)])).toMatchObject([
      { outcome: 'created' },
    ]);
    expect(Object.fromEntries(await (await reopen()).balances())).toEqual({
      cash: 25n,
      'coins-outstanding': 0n,
      'pending-payments': -24n,
      [`user:${alice}`]: -1n,
    });
  });
}

function describeHolding(open: OpenStore): void {
  const { store, reopen } = benchPerTest(open);

  it('held by a relay go on by the outbox', async () => {
    const payment = relayPayment('a', newCoin('a'));
    expect(await store().hold([payment, payment])).toMatchObject([
      { outcome: 'created', outboxRow: 1n },
      { outcome: 'exists' },
    ]);
    expect(await (await reopen()).outbox(q3, 10)).toHaveLength(1);
    expect(await store().balances()).toEqual(new Map());
  });

  it('held by the last station keep the secret until decided', async () => {
    const payment = lastPayment('a', newCoin('a'));
    await store().hold([payment]);
    const again = await reopen();
    expect(await again.heldSecret(payment.paymentId)).toEqual(payment.secret);
    await again.decide([delivered('a')]);
    expect(await again.heldSecret(payment.paymentId)).toBeUndefined();
  });

  it('held with a used coin are refused; coins of two issuers may be namesakes', async () => {
    const coin = newCoin('a');
    const other = { ...relayPayment('c', coin), issuer: q3 };
    expect(
      await store().hold([relayPayment('a', coin), relayPayment('b', coin), other]),
    ).toMatchObject([
      { outcome: 'created' },
      { outcome: 'coin-used', by: bytesFrom('payment', 'a') },
      { outcome: 'created' },
    ]);
  });

  it('held without what must go with them are defects', async () => {
    const { outbox: _outbox, ...silent } = relayPayment('a', newCoin('a'));
    await expect(store().hold([silent])).rejects.toMatchObject({ code: 'defect' });
    const { secret: _secret, ...empty } = lastPayment('b', newCoin('b'));
    await expect(store().hold([empty])).rejects.toMatchObject({ code: 'defect' });
    await expect(store().hold([issuerPayment('c', newCoin('c'))])).rejects.toMatchObject({
      code: 'defect',
    });
    expect(await store().eachPayment(undefined, 10)).toEqual([]);
  });
}

function describeRefusing(open: OpenStore): void {
  const { store, reopen } = benchPerTest(open);

  it('refused before admission burn their coin and replace it, once', async () => {
    const coin = await payerWithCoin(store(), 'a');
    const payment = issuerPayment('a', coin);
    const refusal = bytesFrom('refusal');
    const item = { payment, refusal, replacement: newCoin('new') };
    expect(await store().refuse([item])).toEqual([{ outcome: 'created' }]);
    expect(await store().refuse([item])).toMatchObject([
      { outcome: 'exists', row: { state: 'refused', refusal } },
    ]);
    expect(await store().admit([payment])).toMatchObject([{ outcome: 'exists' }]);
    const [burned, fresh] = await store().coins([coin.coinId, item.replacement.coinId]);
    expect(burned).toMatchObject({ state: 'burned', paymentId: payment.paymentId });
    expect(fresh).toMatchObject({ state: 'reserved', owner: alice, replaces: coin.coinId });
    expect(await store().replacements([coin.coinId])).toEqual([fresh]);
    expect(await store().coinSecrets([coin.coinId])).toEqual([undefined]);
    expect(await store().outbox(q2, 10)).toEqual([]);
    expect((await store().balances()).get('coins-outstanding')).toBe(-12n);
    expect(await store().unconcluded(alice)).toHaveLength(1);
  });

  it('refused without a replacement leave the coin as it is', async () => {
    const coin = await payerWithCoin(store(), 'a');
    const item = { refusal: bytesFrom('no'), replacement: undefined };
    await store().refuse([{ ...item, payment: issuerPayment('a', coin) }]);
    expect((await store().coins([coin.coinId]))[0]?.state).toBe('unspent');
    const replacement = newCoin('new');
    await store().admit([issuerPayment('b', coin)]);
    expect(
      await store().refuse([{ ...item, payment: issuerPayment('c', coin), replacement }]),
    ).toMatchObject([{ outcome: 'coin-used' }]);
    expect(await store().coins([replacement.coinId])).toEqual([undefined]);
  });

  it('refused with a coin that another payment had are told beside that one', async () => {
    const coin = await payerWithCoin(store(), 'a');
    const refusing = { refusal: bytesFrom('no'), replacement: undefined };
    const [first, second] = [issuerPayment('a', coin), issuerPayment('b', coin)];
    await store().admit([first]);
    await store().refuse([{ ...refusing, payment: second }]);
    const burned = await payerWithCoin(store(), 'b');
    const replacement = newCoin('new');
    await store().refuse([{ ...refusing, payment: issuerPayment('c', burned), replacement }]);
    const again = await reopen();
    const pair = { paymentId: second.paymentId, first: first.paymentId };
    expect(await again.spentAgain(alice, 9)).toEqual([pair]);
    expect(await again.spentAgain(alice, 0)).toEqual([]);
    expect(await again.spentAgain(bob, 9)).toEqual([]);
  });

  it('refused with a replacement of another value keep nothing', async () => {
    const coin = await payerWithCoin(store(), 'a');
    const payment = issuerPayment('a', coin);
    const item = { payment, refusal: bytesFrom('no'), replacement: newCoin('new', 13n) };
    await expect(store().refuse([item])).rejects.toMatchObject({ code: 'defect' });
    expect((await store().coins([coin.coinId]))[0]?.state).toBe('unspent');
  });
}

function describeOutbox(open: OpenStore): void {
  const { store, reopen } = benchPerTest(open);

  it('hands out words before payments, oldest first, in pages', async () => {
    const names = ['a', 'b', 'c'];
    await store().hold(names.map((name) => relayPayment(name, newCoin(name))));
    const receipt = { peer: q3, record: bytesFrom('record') };
    const [word] = await store().enqueue([{ ...receipt, paymentId: bytesFrom('payment', 'x') }]);
    const rows = await (await reopen()).outbox(q3, 10);
    expect(rows.map(({ rowId }) => rowId)).toEqual([word, 1n, 2n, 3n]);
    expect(rows[0]).toMatchObject({ carries: 'word', record: receipt.record });
    expect(await store().outbox(q3, 2, rows[0])).toEqual(rows.slice(1, 3));
    expect(await store().outbox(q1, 10)).toEqual([]);
  });

  it('forgets what its peer confirmed, and nobody else', async () => {
    await store().hold([relayPayment('a', newCoin('a'))]);
    await store().confirmOutbox(q1, [1n]);
    expect(await store().outbox(q3, 10)).toHaveLength(1);
    await store().confirmOutbox(q3, [1n, 99n]);
    await store().confirmOutbox(q3, [1n]);
    expect(await store().outbox(q3, 10)).toEqual([]);
    expect((await store().payments([bytesFrom('payment', 'a')]))[0]?.state).toBe('forwarded');
    await store().hold([relayPayment('b', newCoin('b'))]);
    expect(await store().outbox(q3, 10)).toMatchObject([{ rowId: 2n }]);
  });

  it('keeps a relay’s advice once, with its row', async () => {
    const paymentId = bytesFrom('payment', 'a');
    const outbox = { peer: q1, record: bytesFrom('advice record') };
    const advice = { paymentId, refusal: bytesFrom('advice'), outbox };
    expect(await store().putAdvice([advice])).toEqual([1n]);
    expect(await store().putAdvice([advice])).toEqual([undefined]);
    await store().putEvidence([{ paymentId, bytes: bytesFrom('second receipt') }]);
    expect(await store().evidence(paymentId)).toEqual([
      bytesFrom('advice'),
      bytesFrom('second receipt'),
    ]);
  });
}

function describeReading(open: OpenStore): void {
  const { store, reopen } = benchPerTest(open);

  it('are found by ID, by quote, by user and in the order of storing', async () => {
    const coin = await payerWithCoin(store(), 'a');
    await store().admit([issuerPayment('a', coin)]);
    await store().hold([relayPayment('r', newCoin('r')), lastPayment('l', newCoin('l'))]);
    const again = await reopen();
    const all = await again.eachPayment(undefined, 10);
    expect(all.map(({ role }) => role)).toEqual(['issuer', 'relay', 'last']);
    expect(await again.eachPayment(all[0]?.paymentId, 1)).toEqual(all.slice(1, 2));
    expect(await again.paymentByQuote(bytesFrom('quote', 'a'))).toEqual(all[0]);
    expect(await again.paymentByQuote(bytesFrom('quote', 'r'))).toBeUndefined();
    expect((await again.paymentsOf(alice, 0n, 10)).rows).toEqual(all.slice(0, 1));
    expect((await again.paymentsOf(bob, 0n, 10)).rows).toEqual(all.slice(2));
  });

  it('are found by their deadline, too, among those of all days', async () => {
    const coins = [await payerWithCoin(store(), 'a'), await payerWithCoin(store(), 'b')];
    const days = [startSeconds + 60n, startSeconds + 86_400n];
    const payments = ['a', 'b'].map((name, i) => {
      const [coin, deliveryDeadline] = [coins[i], days[i]];
      if (coin === undefined || deliveryDeadline === undefined) throw new Error('none');
      return issuerPayment(name, coin, { deliveryDeadline });
    });
    await store().admit(payments);
    const again = await reopen();
    for (const [i, { paymentId, quoteDigest }] of payments.entries()) {
      const other = days[1 - i];
      const byId = async (day?: bigint) => (await again.payments([paymentId], day))[0]?.paymentId;
      const byQuote = async (day?: bigint) =>
        (await again.paymentByQuote(quoteDigest, day))?.paymentId;
      // First where it is not: what was found once is remembered.
      expect([await byId(other), await byQuote(other)]).toEqual([undefined, undefined]);
      expect([await byId(days[i]), await byQuote(days[i])]).toEqual([paymentId, paymentId]);
      expect([await byId(), await byQuote()]).toEqual([paymentId, paymentId]);
    }
  });

  it('that are open come by deadline, in pages', async () => {
    const hours = [3, 1, 2];
    await store().hold(
      hours.map((hour) =>
        relayPayment(`${hour}`, newCoin(`${hour}`), {
          deliveryDeadline: startSeconds + 3_600n * BigInt(hour),
        }),
      ),
    );
    const [first, ...rest] = await store().openPayments('relay', 10);
    expect(first?.deliveryDeadline).toBe(startSeconds + 3_600n);
    expect(await store().openPayments('relay', 10, first)).toEqual(rest);
    expect(await store().openPayments('last', 10)).toEqual([]);
    await store().decide([undelivered('1')]);
    expect(await store().openPayments('relay', 10)).toEqual(rest);
  });
}
