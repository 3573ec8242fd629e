/**
 * Which environments conflict with one another and with their targets: every pair merged for real, three-way, in objects
 * only. Pairs whose commits have not moved are remembered; of the others, those whose changes do not touch are not merged.
 */
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import type { RefName } from '../../domain/ref-name.ts';
import type { MergePair } from '../../git/merging.ts';
import type { Environment } from '../environment.ts';
import { mergeStart } from '../merge/start.ts';
import { mergedStates, rememberedStates } from '../merged/merged.ts';
import type { Workplace } from '../workplace.ts';
import { type Verdict, verdictOf } from './pair.ts';
import type { VerdictCache } from './verdict-cache.ts';

/** One of the two sides of a pair: an environment's tip, or its target's. */
export type Side =
  | { readonly kind: 'environment'; readonly environment: Environment; readonly commit: Oid }
  | { readonly kind: 'target'; readonly branch: RefName; readonly commit: Oid };

/** `theirs` is merged into `ours`: an environment into its target, or the later one by name into the earlier one. */
export interface Meeting {
  readonly ours: Side;
  readonly theirs: Extract<Side, { kind: 'environment' }>;
  readonly pair: MergePair;
}

export interface Cell extends Meeting {
  readonly verdict: Verdict;
}

export interface Matrix {
  /** Those that have something to merge. */
  readonly environments: readonly Environment[];
  /** Nothing to merge: nothing was changed, or the target has it all. */
  readonly settled: readonly Environment[];
  readonly cells: readonly Cell[];
  /** How many were merged for it, and how many of them all were remembered. */
  readonly work: { readonly merged: number; readonly remembered: number };
}

export interface MatrixOptions {
  /** Only pairs that one of these is in. Default: all. */
  readonly about?: ReadonlySet<string>;
  /** Whether the target has an environment's work already is not looked into, only remembered: for a look after a look. */
  readonly again?: boolean;
}

export async function conflictMatrix(
  workplace: Workplace,
  all: readonly Environment[],
  cache: VerdictCache,
  { about, again = false }: MatrixOptions = {},
): Promise<Matrix> {
  const refs = await referencesOf(workplace, all);
  const states = again ? await rememberedStates(workplace, all, refs) : await mergedStates(workplace, all);
  const isSettled = (each: Environment) => (states.get(each)?.state ?? 'unmerged') !== 'unmerged';
  const environments = all.filter((each) => !isSettled(each)).toSorted(byName);
  const meetings = (await meetingsOf(workplace, environments, refs)).filter(
    ({ ours, theirs }) => about === undefined || [ours, theirs].some((side) => isAbout(side, about)),
  );
  const { verdicts, work } = await judge(
    workplace,
    meetings.map(({ pair }) => pair),
    cache,
  );
  const cells = meetings.flatMap((meeting, index) => {
    const verdict = verdicts[index];
    return verdict === undefined ? [] : [{ ...meeting, verdict }];
  });
  return { environments, settled: all.filter(isSettled), cells, work };
}

/** Every pair of them, and each with its target. */
export async function meetingsOf(
  workplace: Workplace,
  environments: readonly Environment[],
  refs?: ReadonlyMap<RefName | undefined, Oid>,
): Promise<readonly Meeting[]> {
  const at = refs ?? (await referencesOf(workplace, environments));
  return [...(await withTargets(workplace, environments, at)), ...amongThem(environments.toSorted(byName))];
}

const byName = (left: Environment, right: Environment) => (left.name < right.name ? -1 : 1);

function isAbout(side: Side, names: ReadonlySet<string>): boolean {
  return side.kind === 'environment' && names.has(side.environment.name);
}

function sideOf(environment: Environment): Extract<Side, { kind: 'environment' }> {
  return { kind: 'environment', environment, commit: environment.at.tip };
}

function amongThem(environments: readonly Environment[]): readonly Meeting[] {
  return environments.flatMap((left, index) =>
    environments.slice(index + 1).map((right) => ({
      ours: sideOf(left),
      theirs: sideOf(right),
      pair: { ours: left.at.tip, theirs: right.at.tip },
    })),
  );
}

/** Where the targets are, and what was delivered into them by squash or rebase. */
async function referencesOf(
  { repository }: Workplace,
  environments: readonly Environment[],
): Promise<ReadonlyMap<RefName | undefined, Oid>> {
  const branches = new Set(environments.flatMap(({ target }) => target ?? []));
  if (branches.size === 0) return new Map();
  const notes = environments.flatMap(({ target, refs }) => (target === undefined ? [] : refs.delivered(target)));
  return repository.readRefs([...branches, ...notes]);
}

/** As `merge` would do it: after a squash or a rebase from what was delivered then. */
async function withTargets(
  workplace: Workplace,
  environments: readonly Environment[],
  at: ReadonlyMap<RefName | undefined, Oid>,
): Promise<readonly Meeting[]> {
  const meetings = environments.map(async (environment): Promise<readonly Meeting[]> => {
    const { target, at: own } = environment;
    const ours = at.get(target);
    if (target === undefined || ours === undefined) return [];
    const noted = at.has(environment.refs.delivered(target));
    const start = noted ? await mergeStart(workplace, environment, target, ours, own.tip) : undefined;
    const pair = { ours, theirs: own.tip };
    const plain = start === undefined || start.tree === start.commit;
    return [
      {
        ours: { kind: 'target', branch: target, commit: ours },
        theirs: sideOf(environment),
        pair: plain ? pair : { ...pair, base: start.tree },
      },
    ];
  });
  return (await Promise.all(meetings)).flat();
}

/** In order. What is not remembered is merged, unless it is certain to be clean; then it is remembered. */
export async function judge(
  { merging }: Pick<Workplace, 'merging'>,
  pairs: readonly MergePair[],
  cache: VerdictCache,
): Promise<{ readonly verdicts: readonly Verdict[]; readonly work: Matrix['work'] }> {
  const known = pairs.map((pair) => cache.get(pair));
  const open = pairs.filter((_, index) => known[index] === undefined);
  const foreseen = await merging.foresee(open);
  const found = new Map(
    open.flatMap((pair, index) => {
      const outcome = foreseen[index];
      return outcome === undefined ? [] : [[pair, verdictOf(outcome)] as const];
    }),
  );
  const merged = foreseen.filter(({ from }) => from !== 'paths').length;
  await cache.add([...found].map(([pair, verdict]) => ({ pair, verdict })));
  const verdicts = pairs.map((pair, index) => known[index] ?? found.get(pair) ?? unanswered(pair));
  return { verdicts, work: { merged, remembered: pairs.length - open.length } };
}

function unanswered({ ours, theirs }: MergePair): never {
  throw new CoppiceError('bug', 'merge-unanswered', `Nothing came of merging ${theirs} into ${ours}.`);
}
