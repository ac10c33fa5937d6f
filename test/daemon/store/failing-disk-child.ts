/**
 * Records key uses until the disk fails it: `failing-disk-child.js FILE`. Lines on standard output:
 * `used N`, `broken CODE` when the store tells, and `refused CODE` for the use that failed, for a
 * reading after it, and for another use.
 */
import { openSqliteStore } from '../../../daemon/store/sqlite-store.ts';
import { StoreError } from '../../../daemon/store/store-error.ts';
import { sqliteOptions } from '../../contract/sqlite-store-bench.ts';
import { sayLine } from '../../say-line.ts';
import { keyUse } from './crash-plan.ts';

const [file] = process.argv.slice(2);
if (file === undefined) throw new Error('usage: failing-disk-child.js FILE');

async function isDone(call: Promise<unknown>): Promise<boolean> {
  try {
    await call;
    return true;
  } catch (fault) {
    if (!(fault instanceof StoreError)) throw fault;
    sayLine(`refused ${fault.code}`);
    return false;
  }
}

const store = await openSqliteStore({
  ...sqliteOptions(file),
  onBroken: ({ code }) => {
    sayLine(`broken ${code}`);
  },
});
let n = 0;
while (await isDone(store.recordUse([keyUse(n)]))) sayLine(`used ${n++}`);
await isDone(store.balances());
await isDone(store.recordUse([keyUse(n + 1)]));
await store.close();
