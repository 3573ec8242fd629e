/** The largest set of which no two are neighbours. Pure. */

export interface Independent<Each> {
  readonly chosen: readonly Each[];
  /** Proven: there is no larger one. */
  readonly largest: boolean;
}

/** Steps of the search after which what was found so far has to do: about a second among hundreds. */
const mostSteps = 20_000;

/** Exact where that takes few steps, as it does for some dozens; beyond that good, by taking who has fewest neighbours. */
export function largestIndependent<Each>(
  all: readonly Each[],
  neighbours: (each: Each) => ReadonlySet<Each>,
): Independent<Each> {
  let best: readonly Each[] = greedy(all, neighbours);
  let steps = 0;
  const search = (chosen: readonly Each[], rest: readonly Each[]): void => {
    steps += 1;
    if (steps > mostSteps || chosen.length + rest.length <= best.length) return;
    const among = new Set(rest);
    const degree = (each: Each) => [...neighbours(each)].filter((other) => among.has(other)).length;
    const degrees = new Map(rest.map((each) => [each, degree(each)]));
    const most = rest.reduce<Each | undefined>(
      (found, each) => (found === undefined || (degrees.get(each) ?? 0) > (degrees.get(found) ?? 0) ? each : found),
      undefined,
    );
    if (most === undefined || (degrees.get(most) ?? 0) === 0) {
      best = [...chosen, ...rest];
      return;
    }
    const others = rest.filter((each) => each !== most);
    search(
      [...chosen, most],
      others.filter((each) => !neighbours(most).has(each)),
    );
    search(chosen, others);
  };
  search([], all);
  const kept = new Set(best);
  return { chosen: all.filter((each) => kept.has(each)), largest: steps <= mostSteps };
}

function greedy<Each>(all: readonly Each[], neighbours: (each: Each) => ReadonlySet<Each>): readonly Each[] {
  const chosen = new Set<Each>();
  for (const each of [...all].sort((left, right) => neighbours(left).size - neighbours(right).size)) {
    if (![...neighbours(each)].some((other) => chosen.has(other))) chosen.add(each);
  }
  return [...chosen];
}
