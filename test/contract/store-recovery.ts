import { describe, expect, it } from 'vitest';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import type { RestoredPayment, StoredDeclaration } from '../../daemon/store/recovery-store.ts';
import type { NewCoin, NewPayment, Store } from '../../daemon/store/store.ts';
import {
  addUser,
  alice,
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
  undelivered,
} from './store-fixture.ts';
import { benchPerTest, type OpenStore } from './store-subject.ts';

const nowMs = startMs + 5_000;

/** As a neighbour showed it. */
function shown(payment: NewPayment, coin?: NewCoin): RestoredPayment {
  const { outbox: _never, secret: _gone, ...rest } = payment;
  if (coin === undefined) return { ...rest, nowMs };
  const { expirySeconds, commitment, coin: signed } = coin;
  return { ...rest, nowMs, shown: { expirySeconds, commitment, coin: signed } };
}

function declared(station: typeof q1, generation: bigint, name = ''): StoredDeclaration {
  const bytes = bytesFrom('declaration', station, String(generation), name);
  return { station, generation, bytes, accepted: true };
}

const kept = { size: 0n, root: primitives.sha256(new Uint8Array(0)) };
const begun = { kept, sinceSeconds: 7n, peers: [q2, q3], nowMs };
const nothing = { shown: 0, restored: 0, verdicts: 0, refused: 0, contradictions: 0 };

async function stateOf(store: Store, name: string) {
  return (await store.payments([bytesFrom('payment', name)]))[0]?.state;
}

export function describeStoreRecovery(open: OpenStore): void {
  describeRestored(open);
  describeProgress(open);
  describeDeclarations(open);
}

function describeRestored(open: OpenStore): void {
  describe('a payment that a neighbour shows', () => {
    const { store, reopen } = benchPerTest(open);

    it('is at its issuer as if it had been admitted and passed on, once', async () => {
      const coin = await payerWithCoin(store(), 'a');
      const payment = shown(issuerPayment('a', coin), coin);
      expect(await store().restore([payment, payment])).toMatchObject([
        { outcome: 'restored' },
        { outcome: 'exists' },
      ]);
      expect(await stateOf(store(), 'a')).toBe('relayed');
      expect((await store().coins([coin.coinId]))[0]?.state).toBe('pending');
      expect((await store().balances()).get('pending-payments')).toBe(-12n);
      expect(await store().outbox(q2, 10)).toEqual([]);
      await store().decide([delivered('a')]);
      const balances = await (await reopen()).balances();
      expect(balances.get('payable:q2')).toBe(-4n);
      expect(balances.get('lost-records')).toBeUndefined();
      const found = await store().auditedPaymentsById([bytesFrom('payment', 'a'), bytesFrom('b')]);
      expect(found).toMatchObject([{ isRestored: true }, undefined]);
    });

    it('with a coin that the books do not know puts its value to the lost records', async () => {
      const coin = newCoin('a');
      await store().restore([shown(issuerPayment('a', coin), coin)]);
      expect((await store().balances()).get('lost-records')).toBe(12n);
      expect(await store().user(alice)).toMatchObject({ balance: 0n });
      const [secret] = await store().coinSecrets([coin.coinId]);
      expect(secret).toEqual(new Uint8Array(0));
      await store().decide([undelivered('a', newCoin('a again'))]);
      expect((await store().coins([coin.coinId]))[0]?.state).toBe('burned');
      expect(await store().outstanding(alice)).toEqual({ coins: 1, value: 12n });
    });

    it('with a coin that was on its way to the card, or half given back, is good', async () => {
      await addUser(store(), alice, 24n);
      const [one, two] = [newCoin('1'), newCoin('2')];
      const lines = [{ value: 12n, count: 2 }];
      const order = { orderId: orderIdFrom('a'), user: alice, lines, nowMs: startMs };
      await store().reserveCoins({ ...order, coins: [one, two] });
      await store().markLoading([two.coinId]);
      await store().markLoaded([two.coinId]);
      await store().retire({
        orderId: orderIdFrom('b'),
        user: alice,
        operation: 'refund',
        coinIds: [two.coinId],
        replacements: [],
        nowMs,
      });
      const payments = [one, two].map((coin, i) => shown(issuerPayment(`p${i}`, coin), coin));
      expect(await store().restore(payments)).toEqual([
        { outcome: 'restored' },
        { outcome: 'restored' },
      ]);
    });

    it('with a coin that was being exchanged undoes the exchange, and makes no value', async () => {
      await addUser(store(), alice, 24n);
      const [paid, left, fresh] = [newCoin('paid'), newCoin('left'), newCoin('fresh', 24n)];
      const lines = [{ value: 12n, count: 2 }];
      const bought = { orderId: orderIdFrom('a'), user: alice, lines, nowMs: startMs };
      await store().reserveCoins({ ...bought, coins: [paid, left] });
      const coinIds = [paid.coinId, left.coinId];
      await store().markLoading(coinIds);
      await store().markLoaded(coinIds);
      const orderId = orderIdFrom('b');
      const exchange = { orderId, user: alice, operation: 'exchange', coinIds, nowMs } as const;
      expect(await store().retire({ ...exchange, replacements: [fresh] })).toBe('created');
      expect(await store().restore([shown(issuerPayment('p', paid), paid)])).toEqual([
        { outcome: 'restored' },
      ]);
      expect(await store().openRetirements(alice)).toEqual([]);
      await expect(store().finishRetirement(orderId, nowMs)).rejects.toMatchObject({
        code: 'wrong-state',
      });
      expect((await store().coins([left.coinId, fresh.coinId])).map((one) => one?.state)).toEqual([
        'unspent',
        undefined,
      ]);
    });

    it('with a coin that is gone or another’s by these books is not taken', async () => {
      const coin = await payerWithCoin(store(), 'a');
      await store().restore([shown(issuerPayment('a', coin), coin)]);
      const other = await payerWithCoin(store(), 'other');
      await store().expireCoins(other.expirySeconds, 10);
      const third = await payerWithCoin(store(), 'third');
      const before = await store().balances();
      expect(
        await store().restore([
          shown(issuerPayment('b', coin), coin),
          shown(issuerPayment('c', other), other),
          shown(issuerPayment('d', third, { payer: carol }), third),
        ]),
      ).toEqual([
        { outcome: 'coin-used', by: bytesFrom('payment', 'a') },
        { outcome: 'coin-not-unspent', state: 'expired' },
        { outcome: 'coin-not-unspent', state: 'unknown' },
      ]);
      expect(await store().balances()).toEqual(before);
    });

    it('counts at a relay towards what its issuer owes, whatever the limit', async () => {
      const coin = newCoin('a');
      await store().restore([{ ...shown(relayPayment('a', coin)), positionLimit: 1n }]);
      expect(await stateOf(store(), 'a')).toBe('forwarded');
      expect(await store().position(q1)).toBe(4n);
      expect(await store().restore([shown(relayPayment('b', coin))])).toEqual([
        { outcome: 'coin-used', by: bytesFrom('payment', 'a') },
      ]);
    });

    it('is held at the last station without its secret, unless its verdict is there', async () => {
      const buried = bytesFrom('payment', 'b');
      await store().entomb([{ paymentId: buried, receipt: bytesFrom('stone') }]);
      expect(
        await store().restore([
          shown(lastPayment('a', newCoin('a'))),
          shown(lastPayment('b', newCoin('b'))),
        ]),
      ).toEqual([{ outcome: 'restored' }, { outcome: 'entombed', receipt: bytesFrom('stone') }]);
      expect(await stateOf(store(), 'a')).toBe('held');
      expect(await store().heldSecret(bytesFrom('payment', 'a'))).toBeUndefined();
    });
  });

  describe('what went over one link', () => {
    const { store } = benchPerTest(open);

    it('is told page by page, and nothing of other links', async () => {
      const names = ['a', 'b', 'c'];
      await store().hold(names.map((name) => relayPayment(name, newCoin(name))));
      await store().hold([{ ...relayPayment('x', newCoin('x')), previous: q3 }]);
      const first = await store().linkRecords(q1, 0, 0n, 2);
      expect(first.rows.map(({ row }) => row.paymentId)).toEqual(
        ['a', 'b'].map((name) => bytesFrom('payment', name)),
      );
      const second = await store().linkRecords(q1, 0, first.next ?? 0n, 2);
      expect(second.rows.map(({ row }) => row.paymentId)).toEqual([bytesFrom('payment', 'c')]);
      expect(second.next).toBeUndefined();
      expect((await store().linkRecords(q3, 0, 0n, 10)).rows).toHaveLength(4);
    });

    it('is told from a time on, by when it was stored or ended', async () => {
      await store().hold(['a', 'b'].map((name) => relayPayment(name, newCoin(name))));
      await store().decide([{ ...delivered('b'), nowMs: startMs + 9_000 }]);
      const { rows } = await store().linkRecords(q1, startMs + 1, 0n, 10);
      expect(rows.map(({ row }) => row.paymentId)).toEqual([bytesFrom('payment', 'b')]);
    });
  });
}

function describeProgress(open: OpenStore): void {
  describe('a recovery', () => {
    const { store, reopen } = benchPerTest(open);

    it('is begun once, tells what each neighbour told, and is done once', async () => {
      expect(await store().recovery()).toBeUndefined();
      expect(await store().beginRecovery(begun)).toBe('begun');
      expect(await store().beginRecovery(begun)).toBe('exists');
      const counts = { shown: 5, restored: 2, verdicts: 1, refused: 1, contradictions: 1 };
      const page = { peer: q2, cursor: 9n, isLast: false, counts, trouble: 'a false signature' };
      await store().takePage(page);
      await store().takePage({ ...page, cursor: 12n, isLast: true });
      await store().leaveOut(q3);
      const again = await reopen();
      const { peers, ...rest } = (await again.recovery()) ?? {};
      expect(rest).toEqual({ state: 'rebuilding', kept, sinceSeconds: 7n, begunMs: nowMs });
      expect(peers).toEqual([
        {
          peer: q2,
          state: 'answered',
          cursor: 12n,
          shown: 10,
          restored: 4,
          verdicts: 2,
          refused: 2,
          contradictions: 2,
          trouble: 'a false signature',
        },
        { peer: q3, state: 'left-out', cursor: 0n, ...nothing },
      ]);
      const { accepted: _always, ...declaration } = declared(q1, 1n);
      await again.finishRecovery({ declaration, nowMs: nowMs + 1 });
      expect(await again.recovery()).toMatchObject({ state: 'done', doneMs: nowMs + 1 });
      expect(await again.declarations()).toEqual([declared(q1, 1n)]);
      await expect(again.leaveOut(q2)).rejects.toMatchObject({ code: 'wrong-state' });
      expect(await again.beginRecovery(begun)).toBe('begun');
    });

    it('leaves in doubt what the last station holds undecided, until that has ended', async () => {
      await store().hold(['a', 'b'].map((name) => lastPayment(name, newCoin(name))));
      await store().hold([relayPayment('c', newCoin('c'))]);
      await store().decide([delivered('b')]);
      await store().beginRecovery(begun);
      const { accepted: _always, ...declaration } = declared(q3, 1n);
      await store().finishRecovery({ declaration, nowMs });
      expect(await store().doubtful()).toEqual([bytesFrom('payment', 'a')]);
      const { payee } = lastPayment('a', newCoin('a'));
      expect(await store().doubtfulPayees()).toEqual([{ payee, payments: 1 }]);
      await store().decide([delivered('a')]);
      expect(await (await reopen()).doubtful()).toEqual([]);
      expect(await store().doubtfulPayees()).toEqual([]);
    });
  });
}

function describeDeclarations(open: OpenStore): void {
  describe('declarations of lost leaves', () => {
    const { store, reopen } = benchPerTest(open);
    const cosigned = (size: bigint, generation = 0n) => ({
      peer: q2,
      size,
      checkpoint: bytesFrom('checkpoint', String(size)),
      cosignature: bytesFrom('cosignature', String(size)),
      ...(generation > 0n && { generation }),
    });

    it('are kept once, go forward, and stay', async () => {
      const held = { checkpoint: bytesFrom('held'), cosignature: bytesFrom('word') };
      await store().putDeclaration({ ...declared(q2, 2n), held });
      await store().putDeclaration({ ...declared(q2, 2n), held });
      for (const earlier of [declared(q2, 1n), declared(q2, 2n, 'other')]) {
        await expect(store().putDeclaration(earlier)).rejects.toMatchObject({
          code: 'wrong-state',
        });
      }
      const evidence = { ...declared(q2, 2n, 'other'), accepted: false };
      await store().putDeclaration(evidence);
      await store().putDeclaration(declared(q3, 1n));
      expect(await (await reopen()).declarations()).toEqual([
        { ...declared(q2, 2n), held },
        evidence,
        declared(q3, 1n),
      ]);
    });

    it('alone let a witness go back, and only forward from there', async () => {
      await store().putWitnessed(cosigned(9n));
      await expect(store().putWitnessed(cosigned(4n, 1n))).rejects.toMatchObject({
        code: 'wrong-state',
      });
      await store().putDeclaration(declared(q2, 1n));
      await store().putWitnessed(cosigned(4n, 1n));
      for (const back of [cosigned(3n, 1n), cosigned(10n)]) {
        await expect(store().putWitnessed(back)).rejects.toMatchObject({ code: 'wrong-state' });
      }
      await store().putWitnessed(cosigned(5n, 1n));
      expect(await (await reopen()).witnessed()).toEqual([cosigned(5n, 1n)]);
    });
  });
}
