import { describe, expect, it } from 'vitest';
import type { StoredCosigned } from '../../daemon/store/witness-store.ts';
import { bytesFrom, q2, q3 } from './store-fixture.ts';
import { benchPerTest, type OpenStore } from './store-subject.ts';

function cosignedBy(peer: StoredCosigned['peer'], size: bigint, name = ''): StoredCosigned {
  const checkpoint = bytesFrom('checkpoint', String(size), name);
  return { peer, size, checkpoint, cosignature: bytesFrom('cosignature', peer, String(size)) };
}

export function describeStoreWitness(open: OpenStore): void {
  describe('checkpoints', () => {
    const { store, reopen } = benchPerTest(open);
    const own = (size: bigint) => ({ size, bytes: bytesFrom('own', String(size)) });

    it('of this station are kept, each of its size', async () => {
      expect(await store().lastCheckpoint()).toBeUndefined();
      for (const size of [2n, 5n, 9n]) await store().putCheckpoint(own(size));
      await expect(store().putCheckpoint({ ...own(5n), bytes: bytesFrom('x') })).rejects.toThrow();
      const again = await reopen();
      expect(await again.lastCheckpoint()).toEqual(own(9n));
      expect(await again.checkpoints(2n, 9n)).toEqual([own(5n), own(9n)]);
      expect(await again.checkpoints(9n, 99n)).toEqual([]);
    });

    it('that neighbours cosigned are kept by neighbour, the last that each showed', async () => {
      await store().putCosigned(cosignedBy(q3, 4n));
      await store().putCosigned(cosignedBy(q2, 4n));
      await store().putCosigned(cosignedBy(q2, 7n));
      expect(await (await reopen()).cosigned()).toEqual([cosignedBy(q2, 7n), cosignedBy(q3, 4n)]);
      expect(await store().witnessed()).toEqual([]);
    });

    it('of neighbours are never cosigned again once there was a later one', async () => {
      await store().putWitnessed(cosignedBy(q2, 4n));
      await store().putWitnessed(cosignedBy(q2, 7n));
      for (const earlier of [cosignedBy(q2, 6n), cosignedBy(q2, 7n, 'other')]) {
        await expect(store().putWitnessed(earlier)).rejects.toMatchObject({ code: 'wrong-state' });
      }
      expect(await (await reopen()).witnessed()).toEqual([cosignedBy(q2, 7n)]);
    });

    it('that do not go together are kept once, and of one station a few', async () => {
      const cosigned = bytesFrom('cosigned');
      const evidence = (station: typeof q2, i: number) => {
        return { station, cosigned, shown: bytesFrom('shown', i) };
      };
      await store().putTwoLogs(evidence(q2, 0));
      await store().putTwoLogs(evidence(q2, 0));
      expect(await store().twoLogs()).toEqual([evidence(q2, 0)]);
      for (let i = 1; i < 30; i++) await store().putTwoLogs(evidence(q2, i));
      await store().putTwoLogs(evidence(q3, 99));
      const kept = await (await reopen()).twoLogs();
      expect(kept.filter(({ station }) => station === q2)).toHaveLength(16);
      expect(kept.at(-1)).toEqual(evidence(q3, 99));
    });
  });
}
