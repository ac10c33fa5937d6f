import { statSync } from 'node:fs';
import { expect, it } from 'vitest';
import { systemClock } from '../../../daemon/clock.ts';
import { openSqliteStore } from '../../../daemon/store/sqlite-store.ts';
import { sqliteBench, sqliteOptions } from '../../contract/sqlite-store-bench.ts';
import { newCoin, relayPayment } from '../../contract/store-fixture.ts';
import { rawDatabase } from '../../raw-database.ts';

it('the write-ahead log stays short under a writer that never pauses', async () => {
  const bench = await sqliteBench();
  try {
    let longest = 0;
    let written = 0;
    for (let i = 0; i < 60; i++) {
      const payments = Array.from({ length: 64 }, (_, n) => ({
        ...relayPayment(`${i}/${n}`, newCoin(`${i}/${n}`)),
        payment: new Uint8Array(4_000),
      }));
      await bench.store.hold(payments);
      written += 64 * 4_000;
      longest = Math.max(longest, statSync(`${bench.file}-wal`).size);
    }
    expect(written).toBeGreaterThan(15_000_000);
    expect(longest).toBeLessThan(14_000_000);
    expect(statSync(bench.file).size).toBeGreaterThan(1_000_000);
  } finally {
    await bench.close();
  }
});

it('whoever reads for long stops no writer, and the log is short again afterwards', async () => {
  const bench = await sqliteBench();
  const reader = rawDatabase(bench.file);
  try {
    reader.exec('BEGIN; SELECT * FROM meta');
    let longestMs = 0;
    const write = async (i: number): Promise<void> => {
      const payments = Array.from({ length: 64 }, (_, n) => ({
        ...relayPayment(`${i}/${n}`, newCoin(`${i}/${n}`)),
        payment: new Uint8Array(4_000),
      }));
      const begunMs = systemClock.nowMs();
      await bench.store.hold(payments);
      longestMs = Math.max(longestMs, systemClock.nowMs() - begunMs);
    };
    for (let i = 0; i < 40; i++) await write(i);
    expect(statSync(`${bench.file}-wal`).size).toBeGreaterThan(10_000_000);
    // An operator's command beside it: whoever waits while it closes would hold up the writer.
    const besides = await openSqliteStore(sqliteOptions(bench.file));
    const begunMs = systemClock.nowMs();
    await besides.close();
    longestMs = Math.max(longestMs, systemClock.nowMs() - begunMs);
    // As long as the database waits for a lock.
    expect(longestMs).toBeLessThan(5_000);
    reader.exec('COMMIT');
    for (let i = 40; i < 60; i++) await write(i);
    expect(statSync(`${bench.file}-wal`).size).toBeLessThan(10_000_000);
  } finally {
    reader.close();
    await bench.close();
  }
});
