import { defineConfig } from 'vitest/config';

/** `npm run bench`: measurements, one after another, each beside the plain commands in the same run. Nothing is asserted on time. */
export default defineConfig({
  test: {
    include: ['test/bench/**/*.bench.ts'],
    globalSetup: ['test/support/engine-setup.ts'],
    fileParallelism: false,
    testTimeout: 900_000,
    hookTimeout: 300_000,
    disableConsoleIntercept: true,
    reporters: ['default'],
  },
});
