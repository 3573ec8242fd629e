/** Pairs of commits that are certain to merge cleanly, because the paths each side changed have nothing to do with the other's. */
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import type { MergePair } from '../merging.ts';
import { type ChangedPaths, changedPaths, type TreePair } from './changed-paths.ts';
import { type Bases, mergeBases } from './merge-bases.ts';

type Pair = Pick<MergePair, 'ours' | 'theirs'>;

export type AreApart = (pairs: readonly Pair[]) => Promise<readonly boolean[]>;

/** What a process remembers, in paths. */
const mostPaths = 1_000_000;

/** Remembers what changed between two trees, so that after a checkpoint only the new one is compared. */
export function makeApart(git: HostGit): AreApart {
  const known = new Map<string, ChangedPaths>();
  let common: Oid | undefined;
  return async (pairs) => {
    if (pairs.length === 0) return [];
    const bases = await basesOf(git, pairs, common);
    common = bases?.common;
    if (bases === undefined) return pairs.map(() => false);
    const compared = pairs.map((pair) => sidesOf(pair, bases));
    await learn(git, known, compared);
    const answer = compared.map((sides) => (typeof sides === 'boolean' ? sides : areApart(sides, known)));
    forget(known);
    return answer;
  };
}

/** Compares what was not compared before. */
async function learn(
  git: HostGit,
  known: Map<string, ChangedPaths>,
  compared: readonly (readonly TreePair[] | boolean)[],
): Promise<void> {
  const sides = compared.flatMap((each) => (typeof each === 'boolean' ? [] : each));
  const missing = new Map(sides.filter((side) => !known.has(keyOf(side))).map((side) => [keyOf(side), side]));
  const found = await changedPaths(git, [...missing.values()]);
  for (const [index, key] of [...missing.keys()].entries()) {
    const paths = found[index];
    if (paths !== undefined) known.set(key, paths);
  }
}

/** Undefined where the history cannot be read whole. */
async function basesOf(git: HostGit, pairs: readonly Pair[], hint: Oid | undefined): Promise<Bases | undefined> {
  try {
    const tips = pairs.flatMap(({ ours, theirs }) => [ours, theirs]);
    return await mergeBases(git, tips, hint);
  } catch (error) {
    if (error instanceof CoppiceError && error.code === 'git-failed') return undefined;
    throw error;
  }
}

/** The changes to compare, or what is known without. Over several bases git merges with a base that is in no commit. */
function sidesOf({ ours, theirs }: Pair, bases: Bases): readonly [TreePair, TreePair] | boolean {
  if (ours === theirs) return true;
  const [base, ...more] = bases.of(ours, theirs) ?? [];
  if (base === undefined || more.length > 0) return false;
  if (base === ours || base === theirs) return true;
  const [before, left, right] = [base, ours, theirs].map(bases.treeOf);
  if (before === undefined || left === undefined || right === undefined) return false;
  return [
    { before, after: left },
    { before, after: right },
  ];
}

function keyOf({ before, after }: TreePair): string {
  return `${before} ${after}`;
}

function areApart(sides: readonly TreePair[], known: ReadonlyMap<string, ChangedPaths>): boolean {
  const [left, right] = sides.map((side) => known.get(keyOf(side)));
  return left !== undefined && right !== undefined && !meet(left, right);
}

/**
 * What git's merge looks at on both sides (merge-ort.c): a path changed on both, renamed ones under both their names; a
 * file where the other side has a directory; and what one side put into a directory that is gone on the other, because git
 * may hold it for renamed and move the file along.
 */
export function meet(left: ChangedPaths, right: ChangedPaths): boolean {
  return (
    intersect(left.files, right.files) ||
    intersect(left.files, right.above) ||
    intersect(left.above, right.files) ||
    intersect(left.removed, right.above) ||
    intersect(left.above, right.removed)
  );
}

function intersect(left: ReadonlySet<string>, right: ReadonlySet<string>): boolean {
  const [few, many] = left.size < right.size ? [left, right] : [right, left];
  for (const each of few) if (many.has(each)) return true;
  return false;
}

/** The oldest first. */
function forget(known: Map<string, ChangedPaths>): void {
  let paths = 0;
  for (const { files } of known.values()) paths += files.size;
  for (const [key, { files }] of known) {
    if (paths <= mostPaths) return;
    paths -= files.size;
    known.delete(key);
  }
}
