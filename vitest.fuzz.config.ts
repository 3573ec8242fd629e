import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** `npm run fuzz`: every test on random input, with input that no run before has seen. */
const everyTest = readdirSync('test', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => join('test', file));

export default defineConfig({
  test: {
    include: everyTest.filter((file) => readFileSync(file, 'utf8').includes("from 'fast-check'")),
    setupFiles: ['test/support/random.ts'],
    globalSetup: ['test/support/bubblewrap.ts', 'test/support/git-lfs.ts'],
    testTimeout: 0,
    // What thousands of rounds have written takes a while to delete.
    hookTimeout: 0,
  },
});
