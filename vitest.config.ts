import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Two projects: what needs a container engine (`*.engine.test.ts`) and what does not. Neither is ever skipped. */
const report = process.env.COPPICE_TEST_REPORT;

export default defineConfig({
  test: {
    // A machine-readable count beside the usual output, where somebody asks for it.
    ...(report ? { reporters: ['default', ['json', { outputFile: report }]] } : {}),
    // Most tests wait for processes: two files at once, also on a machine with two processors.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    setupFiles: ['test/support/random.ts'],
    // They end what hangs, nothing else: the machine may be slow. How long things take, `npm run bench` measures.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 90_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'plain',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.engine.test.ts'],
          globalSetup: ['test/support/bubblewrap.ts', 'test/support/git-lfs.ts'],
        },
      },
      {
        extends: true,
        test: {
          name: 'engine',
          include: ['test/**/*.engine.test.ts'],
          globalSetup: ['test/support/engine-setup.ts'],
        },
      },
    ],
  },
});
