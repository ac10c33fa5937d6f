import { describe, expect, it } from 'vitest';
import { noblePrimitives as primitives } from '../../applet-spec/noble-primitives.ts';
import type { StoredLeaf } from '../../daemon/store/log-store.ts';
import type { Store } from '../../daemon/store/store.ts';
import { logLeafHash } from '../../daemon/witness/log-leaf.ts';
import { isConsistent, LogPeaks } from '../../daemon/witness/log-tree.ts';
import {
  addUser,
  alice,
  bytesFrom,
  delivered,
  euro,
  issuerPayment,
  newCoin,
  payerWithCoin,
  q1,
  q2,
  relayPayment,
  startMs,
  undelivered,
} from './store-fixture.ts';
import { benchPerTest, type OpenStore } from './store-subject.ts';

async function topUps(store: Store, from: number, count: number): Promise<void> {
  const slips = Array.from({ length: count }, (_, i) => `slip ${from + i}`);
  await Promise.all(slips.map((slip) => store.topUp(alice, 1n, slip, startMs)));
}

/** What happened, in words. */
function told({ transfers, payment }: StoredLeaf): string {
  const kinds = transfers.map(({ kind }) => kind).join(' ');
  return payment === undefined ? kinds : `${kinds} (${payment.role}: ${payment.state})`.trim();
}

export function describeStoreLog(open: OpenStore): void {
  describe('the log', () => {
    const { store, reopen } = benchPerTest(open);
    const all = () => store().logLeaves(0n, 1_000);

    it('is empty at first', async () => {
      expect(await store().logSize()).toBe(0n);
      expect(await store().logRoot(0n)).toEqual(primitives.sha256(new Uint8Array(0)));
      expect(await all()).toEqual([]);
    });

    it('has one leaf for each step in which money moved or a payment ended', async () => {
      const coin = await payerWithCoin(store(), 'a');
      await store().admit([issuerPayment('a', coin)]);
      await store().decide([delivered('a')]);
      const refused = await payerWithCoin(store(), 'b');
      const payment = issuerPayment('b', refused);
      const refusal = bytesFrom('refusal');
      await store().refuse([{ payment, refusal, replacement: newCoin('b again') }]);
      expect((await all()).map(told)).toEqual([
        'top-up',
        'buy',
        'admission',
        'fee payable payable (issuer: delivered)',
        'top-up',
        'buy',
        '(issuer: refused)',
      ]);
      expect((await all()).map(({ number }) => number)).toEqual([1n, 2n, 3n, 4n, 5n, 6n, 7n]);
      expect(await store().logSize()).toBe(7n);
    });

    it('has one for the end of each payment carried, with money or without', async () => {
      const free = {
        bill: [
          { station: q1, fee: 12n },
          { station: q2, fee: 0n },
        ],
      };
      await store().hold([
        relayPayment('paid', newCoin('1')),
        relayPayment('lost', newCoin('2')),
        relayPayment('free', newCoin('3'), free),
      ]);
      expect(await store().logSize()).toBe(0n);
      await store().decide([delivered('paid'), undelivered('lost'), delivered('free')]);
      expect((await all()).map(told)).toEqual([
        'fee (relay: delivered)',
        '(relay: undelivered)',
        '(relay: delivered)',
      ]);
    });

    it('has none for what was known before', async () => {
      await addUser(store(), alice, 5n);
      await store().topUp(alice, 5n, `first money of ${alice}`, startMs);
      await store().hold([relayPayment('a', newCoin('1'))]);
      await store().decide([delivered('a'), delivered('a')]);
      await store().decide([undelivered('a')]);
      expect(await store().logSize()).toBe(2n);
    });

    it('has hashes that follow from what they name', async () => {
      const coin = await payerWithCoin(store(), 'a');
      await store().admit([issuerPayment('a', coin)]);
      const [first] = await all();
      const transfers = [{ kind: 'top-up', debit: 'cash', credit: `user:${alice}`, amount: 12n }];
      const reference = first?.transfers[0]?.reference ?? new Uint8Array(0);
      const leaf = { station: q1, reference, timeMs: BigInt(startMs), transfers };
      expect(first?.hash).toEqual(logLeafHash(primitives, leaf));
      await store().decide([delivered('a')]);
      const [last] = await store().logLeaves(3n, 10);
      const { payment } = issuerPayment('a', coin);
      const end = {
        state: 'delivered',
        payment: primitives.sha256(payment),
        word: primitives.sha256(delivered('a').receipt),
      } as const;
      const decided = {
        station: q1,
        reference: bytesFrom('payment', 'a'),
        timeMs: BigInt(delivered('a').nowMs),
        transfers: last?.transfers ?? [],
        end,
      };
      expect(last?.hash).toEqual(logLeafHash(primitives, decided));
    });

    it('numbers leaves without a gap where one call of several fails', async () => {
      await store().addUser(alice, euro);
      const outcomes = await Promise.allSettled([
        store().topUp(alice, 1n, 'good', startMs),
        store().topUp(alice, -1n, 'bad', startMs),
        store().topUp(alice, 2n, 'good too', startMs),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect((await all()).map(({ number }) => number)).toEqual([1n, 2n]);
    });

    it('grows only: each size is consistent with every earlier one', async () => {
      await addUser(store(), alice, 0n);
      const sizes = [1, 255, 256, 257, 513, 600];
      const roots: { readonly size: bigint; readonly root: Uint8Array }[] = [];
      for (const [i, size] of sizes.entries()) {
        const before = sizes[i - 1] ?? 0;
        await topUps(store(), before, size - before);
        roots.push({ size: BigInt(size), root: await store().logRoot(BigInt(size)) });
      }
      const again = await reopen();
      const peaks = new LogPeaks(primitives);
      for (const { hash, number } of await again.logLeaves(0n, 1_000)) {
        peaks.add(hash);
        const known = roots.find(({ size }) => size === number);
        if (known !== undefined) expect(known.root).toEqual(peaks.root());
      }
      for (const first of roots) {
        expect(await again.logRoot(first.size)).toEqual(first.root);
        for (const second of roots.filter(({ size }) => size >= first.size)) {
          const proof = await again.logConsistency(first.size, second.size);
          expect(isConsistent(primitives, first, second, proof)).toBe(true);
        }
      }
      expect((await again.logTiles(1, 0n, 10)).map(({ number }) => number)).toEqual([1n, 2n]);
    });

    it('says nothing about leaves that are not there', async () => {
      await addUser(store(), alice, 5n);
      await expect(store().logRoot(2n)).rejects.toThrow('the log has 1 leaves, not 2');
      await expect(store().logConsistency(1n, 2n)).rejects.toThrow(RangeError);
      await expect(store().logConsistency(1n, 0n)).rejects.toThrow(RangeError);
    });
  });
}
