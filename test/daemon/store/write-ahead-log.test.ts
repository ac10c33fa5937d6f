import { statSync } from 'node:fs';
import { expect, it } from 'vitest';
import { sqliteBench } from '../../contract/sqlite-store-bench.ts';
import { newCoin, relayPayment } from '../../contract/store-fixture.ts';

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
