import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { opensslPrimitives } from '../../daemon/openssl-primitives.ts';
import { openSqliteStore, type SqliteStoreOptions } from '../../daemon/store/sqlite-store.ts';
import { systemEntropy } from '../../emulator/entropy.ts';
import type { StoreBench } from './store-subject.ts';
import { bytesFrom, euro, q1 } from './store-fixture.ts';

export function sqliteOptions(file: string): SqliteStoreOptions {
  return {
    file,
    stationKey: bytesFrom('station key'),
    station: q1,
    currency: euro,
    primitives: opensslPrimitives,
    entropy: systemEntropy,
  };
}

/** A SQLite store in a folder of its own, which goes when it is closed. */
export async function sqliteBench(): Promise<StoreBench & { readonly file: string }> {
  const folder = mkdtempSync(join(tmpdir(), 'keytoll-store-'));
  const file = join(folder, 'station.sqlite');
  const at = async (): Promise<StoreBench & { readonly file: string }> => {
    const store = await openSqliteStore(sqliteOptions(file));
    return {
      file,
      store,
      async reopened() {
        await store.close();
        return at();
      },
      async close() {
        await store.close();
        rmSync(folder, { recursive: true, force: true });
      },
    };
  };
  return at();
}
