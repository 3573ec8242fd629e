/**
 * Tests on random input take the same input in every run, so that a red one is about what was changed since.
 * `npm run fuzz` takes new input, and more of it.
 */
import fc from 'fast-check';

const times = Number(process.env.COPPICE_FUZZ ?? 0);

fc.configureGlobal(times === 0 ? { seed: 20261122 } : { numRuns: 100 * times });

/** How many inputs to try where `usual` are tried in an ordinary run. */
export function rounds(usual: number): number {
  return usual * Math.max(1, times);
}
