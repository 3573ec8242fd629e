/**
 * Finds out which of several changes break a check, in few checks: all together first; where that fails, halving finds the
 * first one that turns good into bad, and then whether it does so alone or together with which earlier one. Where several
 * checks may run at once the places that halving would ask next are asked meanwhile. Pure but for the check itself. A check
 * that answers at random costs precision, never more checks than this takes.
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

/** The signal says that nobody wants to know any more; what it throws then does not matter. */
type Passes<Item> = (items: readonly Item[], signal: AbortSignal) => Promise<boolean>;

/** `jobs`: checks at one time. */
export async function sortOut<Item>(items: readonly Item[], passes: Passes<Item>, jobs = 1): Promise<Sorted<Item>> {
  const good: Item[] = [];
  const guilty: Guilty<Item>[] = [];
  for (let rest = items; rest.length > 0; ) {
    const fresh = good.length === 0 && guilty.length === 0;
    const open = rest;
    const bad = await firstFailing({
      ask: (count, signal) => passes([...good, ...open.slice(0, count)], signal),
      last: open.length,
      passing: fresh ? -1 : 0,
      lastFails: false,
      jobs,
    });
    if (bad === 0) return { good: [], guilty: [], failsWithout: true };
    good.push(...open.slice(0, bad - 1));
    const culprit = open[bad - 1];
    if (culprit === undefined) break;
    guilty.push({ item: culprit, with: await partnersOf(culprit, good, passes, jobs) });
    rest = open.slice(bad);
  }
  return { good, guilty, failsWithout: false };
}

/** One if it fails with that one alone; else all that it takes from the first on. */
async function partnersOf<Item>(
  culprit: Item,
  good: readonly Item[],
  passes: Passes<Item>,
  jobs: number,
): Promise<readonly Item[]> {
  if (good.length === 0) return [];
  const ask = (count: number, signal: AbortSignal) => passes([...good.slice(0, count), culprit], signal);
  const needed = await firstFailing({ ask, last: good.length, passing: -1, lastFails: true, jobs });
  const partner = good[needed - 1];
  if (partner === undefined) return [];
  const never = new AbortController().signal;
  return (await passes([partner, culprit], never)) ? good.slice(0, needed) : [partner];
}

interface Question {
  /** Whether it passes with the first so many. */
  readonly ask: (count: number, signal: AbortSignal) => Promise<boolean>;
  readonly last: number;
  /** The most that are known to pass; -1: not even none. */
  readonly passing: number;
  readonly lastFails: boolean;
  readonly jobs: number;
}

/**
 * The least count with which it fails while it passes with one less; one more than `last` where it passes with all, whatever
 * it does with fewer.
 */
async function firstFailing({ ask, last, passing, lastFails, jobs }: Question): Promise<number> {
  const asking = openQuestions(ask);
  let from = passing;
  let to = last;
  let whole = lastFails;
  try {
    for (;;) {
      if (whole && to - from === 1) return to;
      while (asking.open().length < jobs) {
        const next = nextQuestion({ from, to, last, whole }, asking.open());
        if (next === undefined) break;
        asking.begin(next);
      }
      const { count, passed } = await asking.answer();
      if (count === last) {
        if (passed) return last + 1;
        whole = true;
      } else if (passed) from = Math.max(from, count);
      else to = Math.min(to, count);
      asking.drop((each) => (each <= from || each >= to) && (each !== last || whole));
    }
  } finally {
    await asking.end();
  }
}

interface Known {
  readonly from: number;
  readonly to: number;
  readonly last: number;
  /** Whether all together are known to fail. */
  readonly whole: boolean;
}

/** All first; then, once they fail, none; then the middle of what is widest open. */
function nextQuestion({ from, to, last, whole }: Known, open: readonly number[]): number | undefined {
  if (!whole && !open.includes(last)) return last;
  if (whole && from < 0 && !open.includes(0)) return 0;
  const points = [Math.max(from, 0), ...open.filter((each) => each > from && each < to), to];
  const sorted = [...new Set(points)].sort((one, other) => one - other);
  let widest = { width: 1, middle: 0 };
  for (const [index, low] of sorted.entries()) {
    const high = sorted[index + 1] ?? low;
    if (high - low > widest.width) widest = { width: high - low, middle: Math.floor((low + high) / 2) };
  }
  return widest.width > 1 ? widest.middle : undefined;
}

interface Answer {
  readonly count: number;
  readonly passed: boolean;
}

/** Questions under way, each with how to stop it. */
function openQuestions(ask: Question['ask']) {
  const open = new Map<number, { readonly answer: Promise<Answer>; readonly stop: AbortController }>();
  const dropped: Promise<unknown>[] = [];
  const drop = (unwanted: (count: number) => boolean) => {
    for (const [count, { answer, stop }] of open) {
      if (!unwanted(count)) continue;
      open.delete(count);
      stop.abort();
      dropped.push(answer);
    }
  };
  return {
    open: () => [...open.keys()],
    begin(count: number) {
      const stop = new AbortController();
      open.set(count, { answer: ask(count, stop.signal).then((passed) => ({ count, passed })), stop });
    },
    async answer(): Promise<Answer> {
      const first = await Promise.race([...open.values()].map(({ answer }) => answer));
      open.delete(first.count);
      return first;
    },
    drop,
    /** Nothing of it runs any more afterwards. */
    async end() {
      drop(() => true);
      await Promise.allSettled(dropped);
    },
  };
}
