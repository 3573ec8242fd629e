/** The guilty are found, alone or in pairs, with few checks, and everybody else lands. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sortOut } from '../../../src/environment/land/guilty.ts';

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

  it('asks several at once, never more than it may, and ends what nobody needs any more', async () => {
    const gates = new Map<string, (passed: boolean) => void>();
    const ended: string[] = [];
    const passes = (items: readonly number[], signal: AbortSignal) =>
      new Promise<boolean>((resolve, reject) => {
        const key = items.join(' ');
        gates.set(key, resolve);
        signal.addEventListener('abort', () => {
          ended.push(key);
          reject(new Error('ended'));
        });
      });
    const answer = async (key: string, passed: boolean) => {
      gates.get(key)?.(passed);
      gates.delete(key);
      for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
    };
    const done = sortOut(upTo(8), passes, 3);
    await answer('none', true);
    expect([...gates.keys()]).toEqual(['0 1 2 3 4 5 6 7', '0 1 2 3', '0 1']);
    await answer('0 1 2 3', false);
    // All together may pass where less fails: that is still asked, and so is what is below.
    expect([...gates.keys()]).toEqual(['0 1 2 3 4 5 6 7', '0 1', '0']);
    await answer('0 1', true);
    expect(ended).toEqual(['0']);
    await answer('0 1 2 3 4 5 6 7', true);
    expect(await done).toEqual({ good: upTo(8), guilty: [], failsWithout: false });
    expect(ended).toEqual(['0', '0 1 2']);
  });

  it('throws what a check throws, and leaves none running', async () => {
    let open = 0;
    const passes = async (items: readonly number[], signal: AbortSignal) => {
      if (items.length === 8) throw new Error('no engine');
      open += 1;
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      open -= 1;
      return false;
    };
    await expect(sortOut(upTo(8), passes, 3)).rejects.toThrow('no engine');
    expect(open).toBe(0);
  });

  it('lands what passes together, and blames only what it must', async () => {
    const item = fc.integer({ min: 0, max: 15 });
    const pair = fc.tuple(item, item).filter(([one, other]) => one < other);
    const bads = fc.uniqueArray(item, { maxLength: 4 });
    const jobs = fc.integer({ min: 1, max: 5 });
    const pairsOf = fc.array(pair, { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(bads, pairsOf, jobs, fc.scheduler(), async (bad, pairs, atOnce, scheduler) => {
        const { passes } = checkOf(bad, pairs);
        const open = new Set<object>();
        const slowly = async (items: readonly number[], signal: AbortSignal) => {
          const token = {};
          open.add(token);
          expect(open.size).toBeLessThanOrEqual(atOnce);
          signal.addEventListener('abort', () => open.delete(token));
          const passed = await scheduler.schedule(passes(items));
          open.delete(token);
          return passed;
        };
        const { good, guilty } = await scheduler.waitFor(sortOut(upTo(16), slowly, atOnce));
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
