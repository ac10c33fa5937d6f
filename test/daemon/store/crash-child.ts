/**
 * Works on a store until it is killed: `crash-child.js FILE SEED FROM`. Each line on standard
 * output is written at once: `used N` once key use N is durable, `asked N` before operation N,
 * `done N` after it.
 */
import { openSqliteStore } from '../../../daemon/store/sqlite-store.ts';
import { sqliteOptions } from '../../contract/sqlite-store-bench.ts';
import { sayLine } from '../../say-line.ts';
import { crashOperations, keyUse } from './crash-plan.ts';
import { beginWorkload, perform } from './money-workload.ts';

const [file, seed, from] = process.argv.slice(2);
if (file === undefined || seed === undefined || from === undefined) {
  throw new Error('usage: crash-child.js FILE SEED FROM');
}

const store = await openSqliteStore({ ...sqliteOptions(file), checkpoints: 'worker' });
await beginWorkload(store);
const operations = crashOperations(Number(seed));
for (const [n, operation] of operations.entries()) {
  if (n < Number(from)) continue;
  await store.recordUse([keyUse(n)]);
  sayLine(`used ${n}`);
  sayLine(`asked ${n}`);
  await perform(store, operation);
  sayLine(`done ${n}`);
}
await store.close();
