/**
 * Which environments merge cleanly into their target together, in which order, and who is in the way of the others. Chosen
 * by what conflicts with what in pairs, then tried: merged one onto the other, for real.
 */
import type { RefName } from '../../domain/ref-name.ts';
import type { Environment } from '../environment.ts';
import type { Workplace } from '../workplace.ts';
import { largestIndependent } from './independent.ts';
import type { Cell, Matrix } from './matrix.ts';
import { isConflict } from './pair.ts';

export interface Order {
  readonly target: RefName;
  /** In the order in which they were merged, each cleanly. */
  readonly clean: readonly Environment[];
  readonly blocked: readonly Blocked[];
  /** No larger set is free of conflicts between two. Else a large one was found, and there may be a larger. */
  readonly largest: boolean;
}

export interface Blocked {
  readonly environment: Environment;
  /** Itself, by the target. */
  readonly byTarget: boolean;
  /** Those of the clean ones that it conflicts with. None: only with what several of them come to together. */
  readonly by: readonly Environment[];
}

/** For each target that environments have. */
export async function mergeOrders(workplace: Workplace, matrix: Matrix): Promise<readonly Order[]> {
  const targets = [...new Set(matrix.environments.flatMap(({ target }) => target ?? []))];
  const orders = targets.map((target) => orderFor(workplace, matrix, target));
  return (await Promise.all(orders)).flatMap((order) => order ?? []);
}

async function orderFor(workplace: Workplace, matrix: Matrix, target: RefName): Promise<Order | undefined> {
  const intoIt = matrix.cells.filter(({ ours }) => ours.kind === 'target' && ours.branch === target);
  const [first] = intoIt;
  if (first === undefined) return undefined;
  const candidates = intoIt.filter(({ verdict }) => !isConflict(verdict)).map(({ theirs }) => theirs.environment);
  const inTheWayOf = neighbours(matrix.cells);
  const { chosen, largest } = largestIndependent(candidates, inTheWayOf);
  // Who is in nobody's way goes first: until somebody decides about the others, nothing is lost for them.
  const planned = [...chosen].sort((left, right) => inTheWayOf(left).size - inTheWayOf(right).size);
  const pairs = planned.flatMap((each) => intoIt.find(({ theirs }) => theirs.environment === each)?.pair ?? []);
  const outcomes = await workplace.merging.mergeInTurn(
    first.ours.commit,
    pairs.map(({ ours: _, ...turn }) => turn),
  );
  const clean = planned.filter((_, index) => outcomes[index]?.kind === 'clean');
  const blocked = intoIt
    .filter(({ theirs }) => !clean.includes(theirs.environment))
    .map(({ theirs: { environment }, verdict }) => ({
      environment,
      byTarget: isConflict(verdict),
      by: clean.filter((each) => inTheWayOf(environment).has(each)),
    }));
  return { target, clean, blocked, largest };
}

function neighbours(cells: readonly Cell[]): (environment: Environment) => ReadonlySet<Environment> {
  const known = new Map<Environment, Set<Environment>>();
  const add = (one: Environment, other: Environment) => known.set(one, (known.get(one) ?? new Set()).add(other));
  for (const { ours, theirs, verdict } of cells) {
    if (ours.kind === 'target' || !isConflict(verdict)) continue;
    add(ours.environment, theirs.environment);
    add(theirs.environment, ours.environment);
  }
  return (environment) => known.get(environment) ?? new Set();
}
