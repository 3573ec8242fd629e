/**
 * Looks for work in a branch, also where no commit of it is there. Work is in a branch that a merge of it would leave as it
 * is. Where that can no longer be told, because the branch has moved on in the same lines, the branch's earlier states are
 * asked, newest first: the first one that a merge fits on decides. So a squash is found (the state it led to lacks
 * nothing), and a revert too (the state it led to lacks something). These are merges of objects with fixed attributes: no
 * configuration of anybody's diff comes into it, and white space counts, other than in a patch id.
 */
import { textOf } from '../../domain/byte-path.ts';
import { ourSide } from '../../domain/conflict-markers.ts';
import type { Oid } from '../../domain/oid.ts';
import type { CommitInfo } from '../../git/repository.ts';
import type { Environment } from '../environment.ts';
import type { Workplace } from '../workplace.ts';
import { type FilesReverted, revertedSinceMerge } from './reverted.ts';

export type MergedBy =
  /** The tip is in the target's history. */
  | 'ancestry'
  /** The target has the same files. */
  | 'same-tree'
  /** Merging it again would change nothing. */
  | 'content'
  /** Merging it again would have changed nothing at an earlier state, and since then the same lines have changed. */
  | 'moved-on'
  /** Of each commit one of the above is true. */
  | 'commits';

export interface InTarget {
  readonly by: MergedBy;
  /** The newest commit of the target that says so. */
  readonly commit: Oid;
  /** It came in whole, and some of it was taken back. Absent where none was. */
  readonly revertedFiles?: FilesReverted;
}

/**
 * Undefined: not, or not that one could tell. Commits that are in the history count although some of their files were
 * reverted, since nobody has to bring them in again, and that is said; where all were, the work is not there.
 */
export async function lookInTarget(
  workplace: Workplace,
  at: Environment['at'],
  target: Oid,
): Promise<InTarget | 'reverted' | undefined> {
  const { repository } = workplace;
  const { tip } = at;
  if (await repository.isAncestor(tip, target)) {
    const reverted = await revertedSinceMerge(workplace, at, target);
    const merged = { by: 'ancestry', commit: target } as const;
    if (reverted === undefined || reverted.count === 0) return merged;
    return reverted.count === reverted.of ? 'reverted' : { ...merged, revertedFiles: reverted };
  }
  const start = await repository.mergeBase(target, tip);
  if (start === undefined) return undefined;
  const [goal, work] = await repository.readCommits([target, tip]);
  if (goal?.tree === work?.tree) return { by: 'same-tree', commit: target };
  const search: Search = { workplace, target, tip, left: mostMerges };
  const found = await newestWith(search, { start, end: tip });
  if (found === 'lacks') return undefined;
  if (found !== undefined) return { by: found === target ? 'content' : 'moved-on', commit: found };
  return (await eachCommitIsIn(search, at, start)) ? { by: 'commits', commit: target } : undefined;
}

/** Beyond that nobody wants to wait for the answer, which is then no. */
const mostMerges = 400;
const mostCommits = 50;

interface Search {
  readonly workplace: Workplace;
  readonly target: Oid;
  readonly tip: Oid;
  /** Merges that may still be tried. */
  left: number;
}

/** A change, and the commit (or, with a base, the state) that has it. */
interface Work {
  readonly start: Oid;
  readonly end: Oid;
  /** What it is a change of, where that is not what git finds as the merge base. */
  readonly base?: Oid;
}

type Answer = 'has' | 'lacks' | 'cannot-tell';

/** States asked in one process. Most often the first can tell. */
const atOnce = 16;

/** The newest state of the target that has the work, unless a newer one lacks some of it; `lacks` where the newest does. */
async function newestWith(search: Search, work: Work): Promise<Oid | 'lacks' | undefined> {
  const goal = await search.workplace.repository.readCommit(search.target);
  let [answer = 'cannot-tell'] = await askStates(search, [goal], work);
  if (answer !== 'cannot-tell') return answer === 'has' ? goal.oid : 'lacks';
  const before = (await statesBefore(search, work)).filter(({ oid }) => oid !== goal.oid);
  for (let start = 0; start < before.length && search.left > 0; start += atOnce) {
    const states = before.slice(start, start + atOnce);
    const answers = await askStates(search, states, work);
    const first = answers.findIndex((each) => each !== 'cannot-tell');
    answer = answers[first] ?? 'cannot-tell';
    if (answer !== 'cannot-tell') return answer === 'has' ? states[first]?.oid : undefined;
  }
  return undefined;
}

async function askStates(search: Search, states: readonly CommitInfo[], work: Work): Promise<readonly Answer[]> {
  const { workplace } = search;
  search.left -= states.length;
  const base = work.base === undefined ? {} : { base: work.base };
  const pairs = states.map(({ oid }) => ({ ours: oid, theirs: work.end, ...base }));
  const answers: Answer[] = [];
  for await (const outcome of workplace.merging.mergeAll(pairs, { keep: false })) {
    const state = states[answers.length];
    if (state === undefined) break;
    if (outcome.kind === 'clean') answers.push(outcome.tree === state.tree ? 'has' : 'lacks');
    else if (outcome.kind === 'impossible') answers.push('cannot-tell');
    else answers.push((await addsBesideConflicts(workplace, state, work)) ? 'lacks' : 'cannot-tell');
    if (answers.at(-1) !== 'cannot-tell') break;
  }
  return answers;
}

/** Where some lines conflict, others may still say that work is missing: a revert of one file, or of one place in a file. */
async function addsBesideConflicts(workplace: Workplace, state: CommitInfo, work: Work): Promise<boolean> {
  const { repository, merging } = workplace;
  const outcome = await (work.base === undefined
    ? merging.merge(state.oid, work.end)
    : merging.mergeTrees(work.base, state.oid, work.end));
  if (outcome.kind === 'clean') return outcome.tree !== state.tree;
  const conflicts = new Map(outcome.conflicts.map(({ path, kind }) => [path, kind]));
  const changes = await repository.treeChanges(state.tree, outcome.tree);
  if (changes.some(({ path }) => !conflicts.has(path))) return true;
  const inLines = changes.filter(({ path }) => ['content', 'add/add'].includes(conflicts.get(path) ?? ''));
  const [before, after] = await Promise.all([
    repository.readBlobs(inLines.flatMap((change) => change.before?.oid ?? [])),
    repository.readBlobs(inLines.flatMap((change) => change.after?.oid ?? [])),
  ]);
  if (before.length !== inLines.length || after.length !== inLines.length) return true;
  return inLines.some((_, index) => !isOursBut(after[index], before[index]));
}

/** Whether a file with conflict markers is just `ours` where one takes that side everywhere. */
function isOursBut(marked: Buffer | undefined, ours: Buffer | undefined): boolean {
  if (marked === undefined || ours === undefined) return false;
  // A marker ends the line before it, which may have been the last of the file, without an end.
  const bare = (text: string | undefined) => text?.replace(/\n$/, '');
  return bare(ourSide(marked.toString('latin1'))) === bare(ours.toString('latin1'));
}

/** As many paths as a command line of reasonable length names. */
const mostPaths = 200;

/** States the target's own line went through since the work began, where one of the work's files changed. Newest first. */
async function statesBefore({ workplace, target, tip, left }: Search, work: Work): Promise<readonly CommitInfo[]> {
  const { repository } = workplace;
  const paths = (await repository.treeChanges(work.start, work.end)).map(({ path }) => textOf(path));
  const nameable = paths.length <= mostPaths && paths.every((path) => !/[\n\ufffd]/.test(path));
  const limit = Math.max(0, left) + 1;
  return repository.log({ start: target, exclude: [tip], firstParent: true, limit, ...(nameable ? { paths } : {}) });
}

/**
 * For commits that were rebased or picked one by one, with the target moving on in between. The tail counts as one commit.
 * A merge on the way must be just what merging makes of its parents: nothing that somebody added in it is looked for.
 */
async function eachCommitIsIn(search: Search, at: Environment['at'], start: Oid): Promise<boolean> {
  const { workplace } = search;
  const { repository } = workplace;
  const own = await repository.log({ start: at.head, exclude: [search.target], limit: mostCommits + 1 });
  if (own.length > mostCommits || !(await repository.isAncestor(start, at.head))) return false;
  for (const commit of own) {
    const [parent, other, third] = commit.parents;
    if (parent === undefined || third !== undefined) return false;
    const isIn =
      other === undefined
        ? await pickIsIn(search, parent, commit.oid)
        : await isPlainMerge(workplace, parent, other, commit.tree);
    if (!isIn) return false;
  }
  return own.length > 0 && pickIsIn(search, at.head, at.tip);
}

async function pickIsIn(search: Search, before: Oid, after: Oid): Promise<boolean> {
  const [old, young] = await search.workplace.repository.readCommits([before, after]);
  if (old?.tree === young?.tree) return true;
  const found = await newestWith(search, { start: before, end: after, base: before });
  return found !== undefined && found !== 'lacks';
}

async function isPlainMerge({ merging }: Workplace, ours: Oid, theirs: Oid, tree: Oid): Promise<boolean> {
  for await (const outcome of merging.mergeAll([{ ours, theirs }], { keep: false })) {
    return outcome.kind === 'clean' && outcome.tree === tree;
  }
  return false;
}
