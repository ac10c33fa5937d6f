import { describeStore } from '../../contract/store.ts';
import { sqliteBench } from '../../contract/sqlite-store-bench.ts';

describeStore('SQLite', sqliteBench);
