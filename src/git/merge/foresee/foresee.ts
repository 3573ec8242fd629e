/**
 * What many merges would come to, without their results: told from the paths where these tell it, else from the files that
 * both sides changed, else by merging the trees. Remembers what it learned, so that another checkpoint costs what it brought.
 */
import type { ObjectFormat } from '../../../domain/oid.ts';
import { openObjectReader } from '../../checkpoint/object-reader.ts';
import type { HostGit } from '../../host-git.ts';
import type { Conflict, Foreseen, MergePair, PairOutcome } from '../../merging.ts';
import type { TreePair } from '../changed-paths.ts';
import { rememberChanges } from './changes.ts';
import { rememberFileMerges } from './file-merges.ts';
import { type Bases, openHistory } from './history.ts';
import { type Meeting, meet, meetingsOf } from './meetings.ts';
import type { FileVerdict } from './merge-files.ts';
import { hasOwnRules, rememberPlainPaths } from './plain-paths.ts';
import { rememberTrees } from './raw-trees.ts';

interface Ground {
  readonly git: HostGit;
  readonly objectFormat: ObjectFormat;
  readonly scratch: string;
  /** With the regions of conflicts, and without keeping anything. */
  mergeWhole(pairs: readonly MergePair[]): AsyncIterable<PairOutcome>;
}

/** What a pair comes to, or what tells it. */
type Plan = 'apart' | 'whole' | readonly Meeting[];

export function makeForesee({ git, objectFormat, scratch, mergeWhole }: Ground) {
  const reader = openObjectReader(git);
  const history = openHistory(git);
  const trees = rememberTrees(objectFormat, reader);
  const changes = rememberChanges(trees);
  const plainPaths = rememberPlainPaths(trees, reader);
  const fileMerges = rememberFileMerges({ git, format: objectFormat, scratch, reader });

  const planAll = async (pairs: readonly MergePair[]): Promise<readonly Plan[]> => {
    const tips = pairs.flatMap(({ base, ours, theirs }) => (base === undefined ? [ours, theirs] : []));
    if (tips.length === 0) return pairs.map(() => 'whole');
    const bases = await history.bases(tips, reader);
    const byFile = !(await hasOwnRules(git.commonDirectory));
    const plans = await Promise.all(pairs.map((pair) => planOf(pair, bases, byFile)));
    changes.forget();
    return plans;
  };

  const planOf = async (pair: MergePair, bases: Bases, byFile: boolean): Promise<Plan> => {
    const sides = sidesOf(pair, bases);
    if (typeof sides === 'string') return sides;
    const [left, right] = await Promise.all(sides.map((side) => changes.of(side)));
    if (left === undefined || right === undefined) return 'whole';
    if (!meet(left, right)) return 'apart';
    const meetings = byFile ? meetingsOf(left, right) : undefined;
    if (meetings === undefined) return 'whole';
    const ours = { base: sides[0].before, changes: left };
    const plain = await Promise.all(meetings.map(({ path }) => plainPaths.isPlain(ours, path)));
    return plain.every((each) => each) ? meetings : 'whole';
  };

  const byFiles = async (plans: readonly Plan[]): Promise<(Foreseen | undefined)[]> => {
    const meetings = plans.flatMap((plan) => (typeof plan === 'string' ? [] : plan));
    const verdicts = await fileMerges.of(meetings);
    let next = 0;
    return plans.map((plan) => {
      if (plan === 'apart') return { kind: 'clean', from: 'paths' };
      if (plan === 'whole') return undefined;
      const own = verdicts.slice(next, next + plan.length);
      next += plan.length;
      return foreseenOf(plan, own);
    });
  };

  return async (pairs: readonly MergePair[]): Promise<readonly Foreseen[]> => {
    if (pairs.length === 0) return [];
    const found: (Foreseen | undefined)[] = await byFiles(await planAll(pairs));
    const rest = [...found.keys()].filter((index) => found[index] === undefined);
    const outcomes = mergeWhole(rest.flatMap((index) => pairs[index] ?? []));
    let next = 0;
    for await (const outcome of outcomes) {
      found[rest[next] ?? -1] = withoutTree(outcome);
      next += 1;
    }
    return found.flatMap((each) => each ?? []);
  };
}

/** The changes to compare, or what is known without. Over several bases git merges with a base that is in no commit. */
function sidesOf(
  { ours, theirs, base: given }: MergePair,
  bases: Bases,
): readonly [TreePair, TreePair] | 'apart' | 'whole' {
  if (given !== undefined) return 'whole';
  if (ours === theirs) return bases.treeOf(ours) === undefined ? 'whole' : 'apart';
  const [base, ...more] = bases.of(ours, theirs) ?? [];
  if (base === undefined || more.length > 0) return 'whole';
  if (base === ours || base === theirs) return 'apart';
  const [before, left, right] = [base, ours, theirs].map(bases.treeOf);
  if (before === undefined || left === undefined || right === undefined) return 'whole';
  return [
    { before, after: left },
    { before, after: right },
  ];
}

function foreseenOf(
  meetings: readonly Meeting[],
  verdicts: readonly (FileVerdict | undefined)[],
): Foreseen | undefined {
  const conflicts: Conflict[] = [];
  for (const [index, { path }] of meetings.entries()) {
    const verdict = verdicts[index];
    if (verdict === undefined) return undefined;
    if (verdict !== 'clean') conflicts.push({ path, ...verdict });
  }
  return conflicts.length === 0 ? { kind: 'clean', from: 'files' } : { kind: 'conflict', from: 'files', conflicts };
}

function withoutTree(outcome: PairOutcome): Foreseen {
  if (outcome.kind !== 'conflict') {
    return outcome.kind === 'clean' ? { kind: 'clean', from: 'trees' } : { ...outcome, from: 'trees' };
  }
  return { kind: 'conflict', from: 'trees', conflicts: outcome.conflicts };
}
