import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Native addons (pcsclite above all) crash in worker threads; forks give each file a process.
    pool: 'forks',
    maxWorkers: '100%',
    globalSetup: ['test/skipped-notice.ts'],
    include: ['test/**/*.test.ts'],
    exclude: ['test/bench/**'],
    reporters: ['default'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    teardownTimeout: 10_000,
    restoreMocks: true,
  },
});
