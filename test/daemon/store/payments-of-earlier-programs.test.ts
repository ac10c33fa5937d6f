/** Payments that an earlier program stored, where it kept less of them than this one does. */
import { expect, it } from 'vitest';
import { sqliteBench } from '../../contract/sqlite-store-bench.ts';
import { delivered, newCoin, relayPayment } from '../../contract/store-fixture.ts';
import { rawDatabase } from '../../raw-database.ts';

/** The log of a station that carried one payment, which then `became` what an old row is. */
async function logRoot(became: string): Promise<Uint8Array> {
  const bench = await sqliteBench();
  try {
    await bench.store.hold([relayPayment('a', newCoin('a'))]);
    const raw = rawDatabase(bench.file);
    raw.exec(became);
    raw.close();
    await bench.store.decide([delivered('a')]);
    return await bench.store.logRoot(await bench.store.logSize());
  } finally {
    await bench.close();
  }
}

it('a payment without a hash of its content ends with the same leaf as any other', async () => {
  expect(await logRoot('UPDATE payment SET content_hash = NULL')).toEqual(await logRoot(''));
});
