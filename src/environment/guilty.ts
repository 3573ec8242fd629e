/**
 * Finds out which of several changes break a check, in few checks: all together first; where that fails, halving finds the
 * first one that turns good into bad, and then whether it does so alone or together with which earlier one. Pure but for
 * the check itself. A check that answers at random costs precision, never more checks than this takes.
 */

export interface Guilty<Item> {
  readonly item: Item;
  /** Earlier items it only fails together with; empty: it fails alone. */
  readonly with: readonly Item[];
}

export interface Sorted<Item> {
  /** They pass together, in the order given. */
  readonly good: readonly Item[];
  readonly guilty: readonly Guilty<Item>[];
  /** It fails with none of them: then nobody is to blame, and nobody is sorted out. */
  readonly failsWithout: boolean;
}

type Passes<Item> = (items: readonly Item[]) => Promise<boolean>;

export async function sortOut<Item>(items: readonly Item[], passes: Passes<Item>): Promise<Sorted<Item>> {
  const good: Item[] = [];
  const guilty: Guilty<Item>[] = [];
  for (let rest = items; rest.length > 0; ) {
    if (await passes([...good, ...rest])) return { good: [...good, ...rest], guilty, failsWithout: false };
    if (good.length === 0 && guilty.length === 0 && !(await passes([]))) {
      return { good: [], guilty: [], failsWithout: true };
    }
    const bad = await firstBad(rest, (count) => passes([...good, ...rest.slice(0, count)]));
    const culprit = rest[bad];
    if (culprit === undefined) break;
    good.push(...rest.slice(0, bad));
    guilty.push({ item: culprit, with: await partnersOf(culprit, good, passes) });
    rest = rest.slice(bad + 1);
  }
  return { good, guilty, failsWithout: false };
}

/** The index of the item with which it first fails; that it passes with none and fails with all is known. */
async function firstBad<Item>(
  items: readonly Item[],
  passesWithFirst: (count: number) => Promise<boolean>,
): Promise<number> {
  let passing = 0;
  let failing = items.length;
  while (failing - passing > 1) {
    const middle = Math.floor((passing + failing) / 2);
    if (await passesWithFirst(middle)) passing = middle;
    else failing = middle;
  }
  return failing - 1;
}

/** One if it fails with that one alone; else all that it takes from the first on. */
async function partnersOf<Item>(culprit: Item, good: readonly Item[], passes: Passes<Item>): Promise<readonly Item[]> {
  if (good.length === 0 || !(await passes([culprit]))) return [];
  const last = await firstBad(good, (count) => passes([...good.slice(0, count), culprit]));
  const partner = good[last];
  if (partner === undefined) return [];
  return (await passes([partner, culprit])) ? good.slice(0, last + 1) : [partner];
}
