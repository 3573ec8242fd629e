import { defineConfig } from 'vitest/config';

/** Two projects: what needs a container engine (`*.engine.test.ts`) and what does not. Neither is ever skipped. */
export default defineConfig({
  test: {
    testTimeout: 60_000,
    hookTimeout: 180_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'plain',
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.engine.test.ts'],
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
