/** Tells how much of what was merged has been taken back since: work stays in the history, but perhaps not in the files. */
import type { FileMode } from '../../domain/change.ts';
import type { Oid } from '../../domain/oid.ts';
import type { TreeChange } from '../../git/repository.ts';
import type { Environment } from '../environment.ts';
import type { Workplace } from '../workplace.ts';

export interface FilesReverted {
  /** Files in which nothing is left of it. */
  readonly count: number;
  /** Files it changed. */
  readonly of: number;
}

/** States of a target that are looked through for the merge. Beyond that nothing counts as reverted. */
const mostStates = 1000;

/** Of a tip that is in the target's history. Undefined where it cannot be told when it came in. */
export async function revertedSinceMerge(
  workplace: Workplace,
  at: Environment['at'],
  target: Oid,
): Promise<FilesReverted | undefined> {
  const { repository } = workplace;
  const { tip } = at;
  if (tip === target) return undefined;
  const range = { start: target, exclude: [tip], firstParent: true, limit: mostStates };
  const line = await repository.log(range);
  const oldest = line.at(-1);
  if (line.length < mostStates && oldest?.parents[0] === tip)
    return revertedFiles(workplace, { start: at.base, end: tip }, target);
  const merge = line.find(({ parents }) => parents.slice(1).includes(tip)) ?? (await firstWith(workplace, line, tip));
  const [into] = merge?.parents ?? [];
  const start = into === undefined ? undefined : await repository.mergeBase(into, tip);
  return start === undefined ? undefined : revertedFiles(workplace, { start, end: tip }, target);
}

/** The oldest of a branch's states, newest first, that has the commit: those before it have it not, those after it all do. */
async function firstWith<State extends { readonly oid: Oid }>(
  { repository }: Workplace,
  line: readonly State[],
  commit: Oid,
): Promise<State | undefined> {
  let has = -1;
  let lacks = line.length;
  while (lacks - has > 1) {
    const middle = Math.floor((has + lacks) / 2);
    const state = line[middle];
    if (state !== undefined && (await repository.isAncestor(commit, state.oid))) has = middle;
    else lacks = middle;
  }
  return lacks === line.length ? undefined : line[has];
}

export async function revertedFiles(
  workplace: Workplace,
  { start, end }: { readonly start: Oid; readonly end: Oid },
  target: Oid,
): Promise<FilesReverted> {
  const { repository, merging } = workplace;
  const [work, since] = await Promise.all([repository.treeChanges(start, end), repository.treeChanges(end, target)]);
  const later = new Map(since.map((change) => [change.path, change]));
  const touched = work.filter(({ path }) => later.has(path));
  if (touched.length === 0) return { count: 0, of: work.length };
  const outcome = await merging.mergeTrees(end, target, start, { keep: false });
  const { tree } = await repository.readCommit(target);
  if (outcome.kind === 'clean' && outcome.tree === tree) return { count: work.length, of: work.length };
  // A file that was only given another name is there.
  const elsewhere = new Set(since.filter(({ before }) => before === undefined).map(({ after }) => after?.oid));
  let count = 0;
  for (const change of touched) {
    const now = later.get(change.path)?.after;
    if (await isTakenBack(workplace, change, now, elsewhere)) count += 1;
  }
  return { count, of: work.length };
}

interface Entry {
  readonly mode: FileMode;
  readonly oid: Oid;
}

async function isTakenBack(
  workplace: Workplace,
  { before, after }: TreeChange,
  now: Entry | undefined,
  elsewhere: ReadonlySet<Oid | undefined>,
): Promise<boolean> {
  if (before === undefined) return now === undefined && !elsewhere.has(after?.oid);
  if (now === undefined) return false;
  if (now.oid === before.oid && now.mode === before.mode) return true;
  if (after === undefined || now.mode !== before.mode) return false;
  return hasNothingOf(workplace, { before: before.oid, after: after.oid, now: now.oid });
}

/** Other lines of the file may have changed: then taking the work back would leave it as it is. */
async function hasNothingOf(
  { repository, merging }: Workplace,
  versions: { readonly before: Oid; readonly after: Oid; readonly now: Oid },
): Promise<boolean> {
  const [before, after, now] = await repository.readBlobs([versions.before, versions.after, versions.now]);
  if (before === undefined || after === undefined || now === undefined) return false;
  const back = await merging.mergeTexts(after, now, before);
  return back?.equals(now) ?? false;
}
