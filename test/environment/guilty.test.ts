/** The guilty are found, alone or in pairs, with few checks, and everybody else lands. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sortOut } from '../../src/environment/guilty.ts';

/** A check that fails with any of `bad`, or with both of any of `pairs`. */
function checkOf(bad: readonly number[], pairs: readonly (readonly [number, number])[]) {
  const asked: (readonly number[])[] = [];
  const passes = async (items: readonly number[]) => {
    asked.push(items);
    return !items.some((item) => bad.includes(item)) && !pairs.some((pair) => pair.every((one) => items.includes(one)));
  };
  return { passes, asked };
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('sorting out', () => {
  it('takes one check where all is well', async () => {
    const { passes, asked } = checkOf([], []);
    expect(await sortOut(upTo(100), passes)).toEqual({ good: upTo(100), guilty: [], failsWithout: false });
    expect(asked).toHaveLength(1);
  });

  it('finds one that fails alone among many in a logarithm of checks', async () => {
    const { passes, asked } = checkOf([37], []);
    const { good, guilty } = await sortOut(upTo(64), passes);
    expect(guilty).toEqual([{ item: 37, with: [] }]);
    expect(good).toEqual(upTo(64).filter((item) => item !== 37));
    expect(asked.length).toBeLessThanOrEqual(3 + 6 + 1);
  });

  it('finds a pair that fails only together: the earlier one lands', async () => {
    const { passes } = checkOf([], [[5, 20]]);
    expect(await sortOut(upTo(32), passes)).toEqual({
      good: upTo(32).filter((item) => item !== 20),
      guilty: [{ item: 20, with: [5] }],
      failsWithout: false,
    });
  });

  it('blames nobody where it fails without any of them', async () => {
    const asked: number[] = [];
    const never = async (items: readonly number[]) => {
      asked.push(items.length);
      return false;
    };
    expect(await sortOut(upTo(8), never)).toEqual({ good: [], guilty: [], failsWithout: true });
    expect(asked).toEqual([8, 0]);
  });

  it('lands what passes together, and blames only what it must', async () => {
    const item = fc.integer({ min: 0, max: 15 });
    const pair = fc.tuple(item, item).filter(([one, other]) => one < other);
    await fc.assert(
      fc.asyncProperty(fc.uniqueArray(item, { maxLength: 4 }), fc.array(pair, { maxLength: 3 }), async (bad, pairs) => {
        const { passes } = checkOf(bad, pairs);
        const { good, guilty } = await sortOut(upTo(16), passes);
        expect(await passes(good)).toBe(true);
        expect([...good, ...guilty.map((each) => each.item)].sort((one, other) => one - other)).toEqual(upTo(16));
        for (const { item: culprit, with: partners } of guilty) {
          expect(await passes([...partners, culprit])).toBe(false);
          if (partners.length > 0) expect(await passes([culprit])).toBe(true);
        }
      }),
    );
  });
});
