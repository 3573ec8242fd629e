/**
 * Since when two sides conflict: for each side the first checkpoint or commit that conflicts with where the other side is
 * now. Found by halving its line, so a conflict that came, went and came again is told from one of its beginnings.
 */
import type { Oid } from '../../domain/oid.ts';
import type { CommitInfo } from '../../git/repository.ts';
import type { Workplace } from '../workplace.ts';
import { type Cell, judge, type Side } from './matrix.ts';
import { isConflict } from './pair.ts';
import type { VerdictCache } from './verdict-cache.ts';

export interface Since {
  readonly ours: CommitInfo | undefined;
  readonly theirs: CommitInfo | undefined;
}

/** Commits of one side that are looked through; the conflict may be older then. */
const longest = 1_000;

interface Search {
  readonly cell: Cell;
  readonly side: 'ours' | 'theirs';
  /** Oldest first. The last one conflicts. */
  readonly line: readonly CommitInfo[];
  /** The first that may be the first to conflict, and the first that is known to. */
  least: number;
  found: number;
}

/** For each cell that is a conflict, all of them halved at once: ten rounds of merges at most. */
export async function conflictsSince(
  workplace: Workplace,
  cells: readonly Cell[],
  cache: VerdictCache,
): Promise<ReadonlyMap<Cell, Since>> {
  const lines = new Map<string, Promise<readonly CommitInfo[]>>();
  const searches: Search[] = [];
  for (const cell of cells.filter(({ verdict }) => verdict.kind === 'conflict')) {
    for (const side of ['ours', 'theirs'] as const) {
      const start = cell.theirs.environment.at.base;
      const line = await lineOf(workplace, lines, cell[side], start);
      searches.push({ cell, side, line, least: 0, found: line.length - 1 });
    }
  }
  for (;;) {
    const open = searches.filter(({ least, found }) => least < found);
    if (open.length === 0) break;
    const pairs = open.map(({ cell, side, line, ...bounds }) => ({
      ...cell.pair,
      [side]: line[middleOf(bounds)]?.oid ?? cell.pair[side],
    }));
    const { verdicts } = await judge(workplace, pairs, cache);
    for (const [index, search] of open.entries()) {
      const middle = middleOf(search);
      if (isConflict(verdicts[index])) search.found = middle;
      else search.least = middle + 1;
    }
  }
  const found = (cell: Cell, side: Search['side']) => {
    const search = searches.find((each) => each.cell === cell && each.side === side);
    return search?.line[search.found];
  };
  return new Map(cells.map((cell) => [cell, { ours: found(cell, 'ours'), theirs: found(cell, 'theirs') }]));
}

function middleOf({ least, found }: Pick<Search, 'least' | 'found'>): number {
  return Math.floor((least + found) / 2);
}

/** An environment's since its base, its base first; a target's since the environment began. */
function lineOf(
  { repository }: Workplace,
  known: Map<string, Promise<readonly CommitInfo[]>>,
  side: Side,
  start: Oid,
): Promise<readonly CommitInfo[]> {
  const from = side.kind === 'environment' ? side.environment.at.base : start;
  const key = `${side.commit} ${from}`;
  const read = async () => {
    const range = { start: side.commit, exclude: [from], firstParent: true, limit: longest };
    const [commits, base] = await Promise.all([repository.log(range), repository.readCommit(from)]);
    return [base, ...commits.toReversed()];
  };
  const line = known.get(key) ?? read();
  known.set(key, line);
  return line;
}
