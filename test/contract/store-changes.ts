import { describe, expect, it } from 'vitest';
import { alice, bob, delivered, issuerPayment, payerWithCoin, q2 } from './store-fixture.ts';
import { benchPerTest, type OpenStore } from './store-subject.ts';

/** What a wallet that was away is told of. */
export function describeStoreChanges(open: OpenStore): void {
  describe('payments of a user', () => {
    const { store, reopen } = benchPerTest(open);

    it('that changed come again behind the number that was seen', async () => {
      const coin = await payerWithCoin(store(), 'a');
      await store().admit([issuerPayment('a', coin)]);
      const seen = await store().paymentsOf(alice, 0n, 10);
      expect((await store().paymentsOf(alice, seen.next, 10)).rows).toEqual([]);
      await store().confirmOutbox(q2, [1n]);
      const { rows, next } = await (await reopen()).paymentsOf(alice, seen.next, 10);
      expect(rows).toMatchObject([{ state: 'relayed' }]);
      expect(next).toBeGreaterThan(seen.next);
      await store().decide([delivered('a')]);
      const later = await store().paymentsOf(alice, next, 10);
      expect(later.rows).toMatchObject([{ state: 'delivered' }]);
      expect(later.next).toBeGreaterThan(next);
    });

    it('that are to be told again come last, as they are, and again after a restart', async () => {
      const coins = [await payerWithCoin(store(), 'a'), await payerWithCoin(store(), 'b')];
      const [one, other] = coins;
      if (one === undefined || other === undefined) throw new Error('none');
      await store().admit([issuerPayment('a', one), issuerPayment('b', other)]);
      const { rows, next } = await store().paymentsOf(alice, 0n, 10);
      const [first] = rows;
      if (first === undefined) throw new Error('none');
      await store().tellAgain([first.paymentId, new Uint8Array(32)]);
      const again = await reopen();
      expect((await again.paymentsOf(alice, next, 10)).rows).toEqual([first]);
      expect((await again.paymentsOf(alice, 0n, 10)).rows).toEqual([...rows.slice(1), first]);
    });

    it('come from the start behind a number that is beyond all changes', async () => {
      const coin = await payerWithCoin(store(), 'a');
      await store().admit([issuerPayment('a', coin)]);
      const { rows, next } = await store().paymentsOf(alice, 0n, 10);
      expect(await store().paymentsOf(alice, next + 1n, 10)).toEqual({ rows, next });
      expect(await store().paymentsOf(alice, next, 10)).toEqual({ rows: [], next });
      expect(await store().paymentsOf(bob, next + 1n, 10)).toEqual({ rows: [], next: 0n });
    });
  });
}
