/** Plain numbered SQL files, each applied once; `user_version` counts them. */
import { readdirSync, readFileSync } from 'node:fs';
import type { SqliteDatabase } from './database.ts';
import { StoreError } from './store-error.ts';

const folder = new URL('./migrations/', import.meta.url);

/**
 * All that are missing, or none. Throws StoreError `newer-schema` for a newer program's database.
 */
export function migrate(database: SqliteDatabase): void {
  const files = readdirSync(folder)
    .filter((name) => /^\d{4}-[a-z-]+\.sql$/.test(name))
    .sort();
  const stray = files.find((name, index) => Number(name.slice(0, 4)) !== index + 1);
  if (stray !== undefined) throw new StoreError('defect', `migration ${stray} is out of sequence`);
  if (database.schemaVersion() === files.length) return;
  database.writeNow(() => {
    // Read under the lock: another program may have migrated just now.
    const present = database.schemaVersion();
    if (present > files.length) {
      throw new StoreError(
        'newer-schema',
        `the database has schema ${present}, this program knows ${files.length}`,
      );
    }
    for (const name of files.slice(present)) {
      database.execute(readFileSync(new URL(name, folder), 'utf8'));
    }
    database.execute(`PRAGMA user_version = ${files.length}`);
  });
}
