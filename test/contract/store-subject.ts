import { afterEach, beforeEach } from 'vitest';
import type { Store } from '../../daemon/store/store.ts';

/** One store under test; `reopened` closes it and opens what it left behind. */
export interface StoreBench {
  readonly store: Store;
  reopened(): Promise<StoreBench>;
  close(): Promise<void>;
}

/** `open` makes a fresh, empty store of station q1 in EUR. */
export type OpenStore = () => Promise<StoreBench>;

/** The bench of each test, opened before it and closed after it. */
export function benchPerTest(open: OpenStore): {
  readonly store: () => Store;
  readonly reopen: () => Promise<Store>;
} {
  let bench: StoreBench;
  beforeEach(async () => {
    bench = await open();
  });
  afterEach(async () => {
    await bench.close();
  });
  return {
    store: () => bench.store,
    async reopen() {
      bench = await bench.reopened();
      return bench.store;
    },
  };
}
