import { describe, expect, it } from 'vitest';
import type { NewPayment, Store } from '../../daemon/store/store.ts';
import {
  bytesFrom,
  delivered,
  newCoin,
  q1,
  q2,
  q3,
  relayPayment,
  startMs,
  undelivered,
  type PaymentWish,
} from './store-fixture.ts';
import { benchPerTest, type OpenStore } from './store-subject.ts';

/** For 4 each, with a coin of q1, which may owe 10. */
function carried(name: string, limit = 10n, wish: PaymentWish = {}): NewPayment {
  return { ...relayPayment(name, newCoin(name), wish), positionLimit: limit };
}

/** A window with the claims of these delivered payments is paid. */
async function paid(store: Store, sequence: bigint, ...names: readonly string[]): Promise<void> {
  await store.openWindow(q1, startMs);
  const claims = names.map((name) => ({
    redemptionId: bytesFrom('redemption', name),
    paymentId: bytesFrom('payment', name),
    amount: 4n,
  }));
  await store.putClaims('ours', q1, sequence, claims);
  await store.closeWindow(q1, sequence);
  const none = { count: 0n, amount: 0n };
  const theirs = { count: BigInt(names.length), amount: 4n * BigInt(names.length) };
  await store.agreeWindow(q1, sequence, { ours: none, theirs }, bytesFrom('signed'));
  expect(await store.payWindow(q1, sequence, 'bank', startMs)).toBe('paid');
}

export function describeStorePositions(open: OpenStore): void {
  describe('a position', () => {
    const { store, reopen } = benchPerTest(open);
    const position = () => store().position(q1);

    it('stops at its limit, and lets the rest of the call alone', async () => {
      const outcomes = await store().hold([
        carried('a'),
        carried('b'),
        carried('c'),
        { ...carried('of q3'), issuer: q3 },
        carried('for nothing', 10n, { bill: [{ station: q2, fee: 0n }] }),
      ]);
      expect(outcomes).toMatchObject([
        { outcome: 'created' },
        { outcome: 'created' },
        { outcome: 'position-limit', position: 8n },
        { outcome: 'created' },
        { outcome: 'created' },
      ]);
      expect(await store().payments([bytesFrom('payment', 'c')])).toEqual([undefined]);
      expect(await store().outbox(q3, 10)).toHaveLength(4);
      expect([await position(), await store().position(q3)]).toEqual([8n, 4n]);
      expect(await (await reopen()).hold([carried('c')])).toMatchObject([{ position: 8n }]);
    });

    it('stops at it also between calls of one turn', async () => {
      const outcomes = await Promise.all(
        ['a', 'b', 'c'].map(async (name) => (await store().hold([carried(name)]))[0]?.outcome),
      );
      expect(outcomes).toEqual(['created', 'created', 'position-limit']);
    });

    it('is not what a call would have made it that failed', async () => {
      const { outbox: _none, ...bad } = carried('b');
      const [first, failed] = await Promise.allSettled([
        store().hold([carried('a')]),
        store().hold([carried('c'), bad]),
      ]);
      expect([first.status, failed.status]).toEqual(['fulfilled', 'rejected']);
      expect(await position()).toBe(4n);
      expect(await store().hold([carried('c'), carried('d')])).toMatchObject([
        { outcome: 'created' },
        { outcome: 'position-limit' },
      ]);
    });

    it('counts a payment once, from when it is held until it is undelivered or paid', async () => {
      await store().hold([carried('a'), carried('b')]);
      expect(await store().hold([carried('a')])).toMatchObject([{ outcome: 'exists' }]);
      await store().decide([delivered('a')]);
      expect(await position()).toBe(8n);
      await store().decide([undelivered('b'), undelivered('b')]);
      expect(await position()).toBe(4n);
      await paid(store(), 1n, 'a');
      expect(await position()).toBe(0n);
      expect(await store().hold([carried('c'), carried('d')])).toMatchObject([
        { outcome: 'created' },
        { outcome: 'created' },
      ]);
    });

    it('has room again, within one turn, for what was undelivered in it', async () => {
      await store().hold([carried('a'), carried('b')]);
      const [, held] = await Promise.all([
        store().decide([undelivered('a')]),
        store().hold([carried('c'), carried('d')]),
      ]);
      expect(held).toMatchObject([{ outcome: 'created' }, { outcome: 'position-limit' }]);
      expect(await position()).toBe(8n);
    });

    it('beyond a limit that was lowered takes back what is given, and refuses more', async () => {
      await store().hold([carried('a'), carried('b')]);
      expect(await store().hold([carried('c', 5n)])).toMatchObject([{ position: 8n }]);
      await store().decide([undelivered('a')]);
      expect(await position()).toBe(4n);
      expect(await store().hold([carried('c', 5n)])).toMatchObject([{ position: 4n }]);
      expect(await store().hold([carried('d', 8n)])).toMatchObject([{ outcome: 'created' }]);
    });

    it('is what is in flight and what is owed, whatever happened', async () => {
      await store().hold(['a', 'b', 'c', 'd', 'e'].map((name) => carried(name, 100n)));
      await store().decide([delivered('a'), delivered('b'), undelivered('c'), delivered('d')]);
      await paid(store(), 1n, 'a', 'd');
      const [{ inFlight, receivable } = { inFlight: 0n, receivable: 0n }] =
        await store().positions();
      expect([inFlight, receivable]).toEqual([4n, 4n]);
      expect(await position()).toBe(inFlight + receivable);
    });
  });
}
