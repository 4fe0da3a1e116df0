import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/envoy-harness/global-setup.ts', 'test/redis-harness/global-setup.ts'],
    pool: 'forks',
    // By itself vitest leaves one core free, and so the other of two has little to do.
    maxWorkers: 2,
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
});
