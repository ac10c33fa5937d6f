import { describe, expect, it } from 'vitest';
import type { FailedAttempt } from '../../daemon/store/quarantine-store.ts';
import { bytesFrom, q2, q3, startMs } from './store-fixture.ts';
import { benchPerTest, type OpenStore } from './store-subject.ts';

function attempt(rowId: bigint, changes: Partial<FailedAttempt> = {}): FailedAttempt {
  const bytes = bytesFrom('record', String(rowId));
  const why = 'TypeError: a defect';
  return { peer: q2, rowId, form: 'message', bytes, why, nowMs: startMs, ...changes };
}

export function describeStoreQuarantine(open: OpenStore): void {
  describe('records of neighbours that cannot be handled', () => {
    const { store, reopen } = benchPerTest(open);

    it('are counted, over restarts, and quarantined with what came', async () => {
      expect(await store().countAttempt(attempt(7n), 3)).toBe('counted');
      expect(await (await reopen()).countAttempt(attempt(7n), 3)).toBe('counted');
      expect(await store().quarantineCounts()).toEqual([{ peer: q2, counted: 1, quarantined: 0 }]);
      expect(await store().quarantined(0n, 10)).toEqual([]);
      const last = attempt(7n, { why: 'the last one', nowMs: startMs + 9 });
      expect(await (await reopen()).countAttempt(last, 3)).toBe('quarantined');
      const { nowMs: lastMs, ...what } = last;
      const kept = { ...what, number: 1n, attempts: 3, firstMs: startMs, lastMs };
      expect(await (await reopen()).quarantined(0n, 10)).toEqual([kept]);
      expect(await store().quarantineCounts()).toEqual([{ peer: q2, counted: 0, quarantined: 1 }]);
    });

    it('stay quarantined as they are, however often they come again', async () => {
      const rowId = 2n ** 64n - 1n;
      await store().countAttempt(attempt(rowId), 1);
      const again = attempt(rowId, { why: 'another', nowMs: startMs + 1 });
      expect(await store().countAttempt(again, 3)).toBe('quarantined');
      expect(await store().quarantined(0n, 10)).toMatchObject([
        { rowId, attempts: 1, why: 'TypeError: a defect' },
      ]);
    });

    it('are told apart by neighbour, by row and by what came', async () => {
      await store().countAttempt(attempt(1n), 1);
      const others = [
        attempt(1n, { peer: q3 }),
        attempt(2n),
        attempt(1n, { bytes: bytesFrom('something else'), form: 'record' }),
      ];
      for (const other of others) expect(await store().countAttempt(other, 2)).toBe('counted');
      for (const other of others) expect(await store().countAttempt(other, 2)).toBe('quarantined');
      const [first, ...rest] = await store().quarantined(0n, 10);
      expect(rest.map(({ peer, rowId, form }) => [peer, rowId, form])).toEqual([
        [q3, 1n, 'message'],
        [q2, 2n, 'message'],
        [q2, 1n, 'record'],
      ]);
      expect(await store().quarantined(first?.number ?? 0n, 1)).toEqual(rest.slice(0, 1));
    });

    it('are dropped once, with their bytes, and their numbers are never used again', async () => {
      for (const rowId of [1n, 2n]) await store().countAttempt(attempt(rowId), 1);
      expect(await store().dropQuarantined(2n)).toBe(true);
      expect(await store().dropQuarantined(2n)).toBe(false);
      await (await reopen()).countAttempt(attempt(3n), 1);
      const numbers = (await store().quarantined(0n, 10)).map(({ number }) => number);
      expect(numbers).toEqual([1n, 3n]);
    });

    it('that are only counted are not dropped, but forgotten after a month', async () => {
      await store().countAttempt(attempt(1n), 3);
      expect(await store().dropQuarantined(1n)).toBe(false);
      const later = startMs + 32 * 86_400_000;
      await store().countAttempt(attempt(2n, { nowMs: later }), 3);
      expect(await store().quarantineCounts()).toMatchObject([{ counted: 1 }]);
      expect(await store().countAttempt(attempt(1n, { nowMs: later }), 2)).toBe('counted');
    });

    it('and were handled after all are counted no more; what is quarantined stays so', async () => {
      await store().countAttempt(attempt(1n), 3);
      await store().countAttempt(attempt(2n), 1);
      await store().forgetAttempts(q3, 1n);
      expect(await store().quarantineCounts()).toMatchObject([{ counted: 1, quarantined: 1 }]);
      for (const rowId of [1n, 2n]) await (await reopen()).forgetAttempts(q2, rowId);
      expect(await store().quarantineCounts()).toMatchObject([{ counted: 0, quarantined: 1 }]);
    });

    it('do not mix with starts of the station, which are counted, too', async () => {
      expect(await store().countStart()).toBe(1);
      expect(await (await reopen()).countStart()).toBe(2);
      await store().forgetStarts();
      expect(await (await reopen()).countStart()).toBe(1);
    });

    it('of one neighbour fill no disk', async () => {
      for (let i = 0n; i < 256n; i++) await store().countAttempt(attempt(i), 1);
      expect(await store().countAttempt(attempt(256n), 1)).toBe('full');
      expect(await store().countAttempt(attempt(7n), 1)).toBe('quarantined');
      expect(await store().countAttempt(attempt(0n, { peer: q3 }), 1)).toBe('quarantined');
      await store().dropQuarantined(1n);
      expect(await store().countAttempt(attempt(256n), 1)).toBe('quarantined');
      for (let i = 1_000n; i < 2_024n; i++) await store().countAttempt(attempt(i), 3);
      expect(await store().countAttempt(attempt(3_000n), 3)).toBe('full');
      expect(await store().quarantineCounts()).toEqual([
        { peer: q2, counted: 1_024, quarantined: 256 },
        { peer: q3, counted: 0, quarantined: 1 },
      ]);
    });
  });
}
