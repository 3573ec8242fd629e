/** The set that is chosen has no neighbours in it, and no other such set is larger where that is claimed. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { largestIndependent } from '../../../src/environment/conflicts/independent.ts';
import { rounds } from '../../support/random.ts';

const graph = fc.integer({ min: 0, max: 9 }).chain((size) =>
  fc.record({
    size: fc.constant(size),
    edges: fc.array(fc.tuple(fc.nat(Math.max(0, size - 1)), fc.nat(Math.max(0, size - 1))), { maxLength: 20 }),
  }),
);

function neighboursIn(edges: readonly (readonly [number, number])[]) {
  const known = new Map<number, Set<number>>();
  for (const [left, right] of edges.filter(([one, other]) => one !== other)) {
    known.set(left, (known.get(left) ?? new Set()).add(right));
    known.set(right, (known.get(right) ?? new Set()).add(left));
  }
  return (each: number): ReadonlySet<number> => known.get(each) ?? new Set();
}

test('as large as trying every set finds', () => {
  fc.assert(
    fc.property(graph, ({ size, edges }) => {
      const neighbours = neighboursIn(edges);
      const all = Array.from({ length: size }, (_, index) => index);
      const isFree = (set: readonly number[]) =>
        set.every((each) => set.every((other) => !neighbours(each).has(other)));
      let largest = 0;
      for (let mask = 0; mask < 2 ** size; mask++) {
        const set = all.filter((index) => (mask >> index) & 1);
        if (set.length > largest && isFree(set)) largest = set.length;
      }
      const found = largestIndependent(all, neighbours);
      expect(found.largest).toBe(true);
      expect(isFree(found.chosen)).toBe(true);
      expect(found.chosen).toHaveLength(largest);
    }),
    { numRuns: rounds(300) },
  );
});

test('sixty, most of which conflict, are still proven; four hundred in a tangle are not, and it says so', () => {
  const tangle = (size: number, step: number) => {
    const edges = Array.from({ length: size * step }, (_, index): [number, number] => [
      index % size,
      (index * 7919 + Math.floor(index / size) * 104_729) % size,
    ]);
    return largestIndependent(
      Array.from({ length: size }, (_, index) => index),
      neighboursIn(edges),
    );
  };
  expect(tangle(60, 10).largest).toBe(true);
  const large = tangle(400, 4);
  expect(large.largest).toBe(false);
  expect(large.chosen.length).toBeGreaterThan(50);
});
