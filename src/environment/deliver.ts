/** Merges an environment's work, or a part of it, into a branch: computed on objects, delivered by one compare-and-swap. */
import type { Held } from '../domain/change.ts';
import { CoppiceError, hasCode } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import { type RefName, shortName } from '../domain/ref-name.ts';
import type { RunsElsewhere } from '../domain/runs-elsewhere.ts';
import type { Conflict, MergeOptions, MergeOutcome } from '../git/merging.ts';
import type { Identity } from '../git/repository.ts';
import { bringInOutside, commitTail, inProgress } from './commit.ts';
import { conflictView } from './conflict-view.ts';
import type { Environment } from './environment.ts';
import { readEnvironment } from './find.ts';
import { followHead } from './follow-head.ts';
import { refuseLeakyChanges, refuseLeakyCommits } from './leaks.ts';
import { type HooksRun, runMergeHooks } from './merge-hooks.ts';
import { mergeInside, type ResolvedInside, type Sides } from './merge-inside.ts';
import { mergeMessage, partMessage } from './merge-message.ts';
import { type Part, partOf, type Selection } from './merge-part.ts';
import { type MergeStart, mergeFrom, mergeStart, noteDelivery } from './merge-start.ts';
import { startOfWork } from './merged.ts';
import { type Reconciled, reconcileFully } from './reconcile.ts';
import { oldestFirst, replay } from './replay.ts';
import { withResolutions } from './resolution/use.ts';
import { findRuns } from './runs-elsewhere.ts';
import type { Workplace } from './workplace.ts';

export type Strategy = 'merge' | 'squash' | 'rebase' | 'ff-only';

export interface MergeRequest {
  readonly into: RefName;
  readonly strategy: Strategy;
  readonly message: string | undefined;
  /** Conflict markers in the work are no reason to refuse. */
  readonly allowMarkers: boolean;
  /** Neither is what looks like a secret in the agent's own commits. */
  readonly allowSecrets: boolean;
  /** Leaves out the repository's hooks. */
  readonly noVerify?: boolean;
  /** Conflicts that were resolved before are resolved so again. */
  readonly useResolutions?: boolean;
  /** Only this; the rest stays. Not with `ff-only`. */
  readonly selection?: Selection;
  /** Told, before anything moves, what will run on the host or in CI after the merge; may throw. */
  readonly onRuns?: (runs: readonly RunsElsewhere[]) => void;
}

export interface Merged {
  readonly environment: Environment;
  readonly into: RefName;
  readonly before: Oid | null;
  readonly after: Oid;
  readonly kind: 'merge' | 'squash' | 'rebase' | 'fast-forward' | 'nothing-to-do';
  /** The checkout that was brought along, when the branch is checked out. */
  readonly worktree: string | null;
  /** What was not merged because it is held. */
  readonly held: readonly Held[];
  readonly hooks: Omit<HooksRun, 'message'>;
  /** Conflicts that a merge driver or the spec's commands resolved. */
  readonly resolved: readonly ResolvedInside[];
}

type Attempt = Omit<Merged, 'held'>;

const noHooks = { ran: 'none', output: '' } as const;

/** Retries when the branch moves meanwhile: the merge is computed anew against where it is then. */
export async function mergeInto(workplace: Workplace, start: Environment, request: MergeRequest): Promise<Merged> {
  const { looked, part } = await refuseConflict(workplace, start, request);
  const { held } = looked;
  const environment = await withCommittedTail(workplace, looked, request);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return { ...(await attemptMerge(workplace, environment, request, part)), held };
    } catch (error) {
      if (!hasCode(error, 'ref-moved') || attempt >= 20) throw error;
    }
  }
}

/** Looked at before anything moves, the environment's own branch included: on a conflict nothing has changed anywhere. */
async function refuseConflict(
  workplace: Workplace,
  first: Environment,
  request: MergeRequest,
): Promise<{ readonly looked: Reconciled; readonly part: Part | undefined }> {
  const { into, selection, strategy } = request;
  const before = await workplace.repository.readRef(into);
  if (before === undefined) await refuseUnknown(workplace, into);
  const looked = await reconcileFully(workplace, first);
  const { environment, operation } = looked;
  if (operation !== undefined) throw inProgress(environment, operation);
  if (!request.allowSecrets && selection === undefined) await refuseLeaks(workplace, environment, request, before);
  if (before === undefined && selection !== undefined) throw nothingThere(into);
  const { tip } = environment.at;
  if (before === undefined || strategy === 'ff-only') {
    await tellRuns(workplace, environment, request, tip);
    return { looked, part: undefined };
  }
  const start = await mergeStart(workplace, environment, into, before, tip);
  const part =
    selection === undefined || start === undefined
      ? undefined
      : await choose(workplace, environment, { before, start, selection, request });
  if (!request.allowSecrets && part !== undefined)
    await refuseLeaks(workplace, environment, request, before, part.commit);
  const theirs = part?.commit ?? tip;
  const probe = await mergeFrom(workplace, start, before, theirs, { keep: false });
  if (probe.kind === 'conflict') {
    // What the container can resolve of it shows only on the objects themselves.
    const outcome = await mergeFrom(workplace, start, before, theirs);
    await resolvedOrRefused(workplace, environment, request, outcome, { start, before, theirs });
  }
  await tellRuns(workplace, environment, request, theirs, start?.tree);
  return { looked, part };
}

async function tellRuns(
  workplace: Workplace,
  environment: Environment,
  { into, onRuns }: MergeRequest,
  theirs: Oid,
  start?: Oid,
): Promise<void> {
  if (onRuns === undefined) return;
  onRuns(await findRuns(workplace, start ?? (await startOfWork(workplace, environment, into)), theirs));
}

function nothingThere(into: RefName): CoppiceError {
  return new CoppiceError('usage', 'no-part-of-all', `${shortName(into)} has no commit yet to put a part on.`, {
    hint: 'Merge all of it, or make a first commit there.',
  });
}

function sidesOf(start: MergeStart | undefined, before: Oid, theirs: Oid): Sides | undefined {
  return start === undefined ? undefined : { base: start.tree, ours: before, theirs };
}

interface Meeting {
  readonly start: MergeStart | undefined;
  readonly before: Oid;
  readonly theirs: Oid;
}

/**
 * Where merge-tree leaves conflicts the container's own means are asked, then, if wished, what is remembered; throws
 * `merge-conflict` for what is left.
 */
async function resolvedOrRefused(
  workplace: Workplace,
  environment: Environment,
  { into, useResolutions }: MergeRequest,
  outcome: MergeOutcome,
  { start, before, theirs }: Meeting,
): Promise<{
  readonly outcome: Extract<MergeOutcome, { kind: 'clean' }>;
  readonly resolved: readonly ResolvedInside[];
}> {
  if (outcome.kind === 'clean') return { outcome, resolved: [] };
  const sides = sidesOf(start, before, theirs);
  if (sides === undefined) throw conflict(environment, into, outcome.conflicts);
  const inside = await mergeInside(workplace, environment, outcome, sides);
  if (inside.outcome.kind === 'clean') return { outcome: inside.outcome, resolved: inside.resolved };
  if (!useResolutions) throw conflict(environment, into, inside.outcome.conflicts, inside.output);
  const again = (options: MergeOptions) => mergeFrom(workplace, start, before, theirs, options);
  const used = await withResolutions(workplace, inside.outcome, again);
  if (used.outcome.kind === 'conflict') throw conflict(environment, into, used.outcome.conflicts, inside.output);
  const remembered = used.paths.map((path) => ({ path, by: 'remembered resolution' as const, command: null }));
  return { outcome: used.outcome, resolved: [...inside.resolved, ...remembered] };
}

async function choose(
  workplace: Workplace,
  environment: Environment,
  {
    before,
    start,
    selection,
    request,
  }: { before: Oid; start: MergeStart; selection: Selection; request: MergeRequest },
): Promise<Part> {
  const { tip, head } = environment.at;
  return partOf(workplace, environment, {
    selection,
    start,
    before,
    from: selection.kind === 'commits' ? head : tip,
    author: await authorOf(workplace, environment),
    message: partMessage(environment, request.message),
  });
}

/** A squash brings files only: what an earlier commit had in it stays behind. */
async function refuseLeaks(
  workplace: Workplace,
  environment: Environment,
  { strategy }: MergeRequest,
  into: Oid | undefined,
  after: Oid = environment.at.head,
): Promise<void> {
  if (strategy !== 'squash' || into === undefined) await refuseLeakyCommits(workplace, environment, into, after);
  else {
    const before = (await workplace.repository.mergeBase(into, after)) ?? (await workplace.repository.emptyTree());
    await refuseLeakyChanges(workplace, environment, { before, after });
  }
}

/** A branch that does not exist is born by a merge only where somebody has it checked out unborn; else it is a slip. */
async function refuseUnknown({ repository }: Workplace, into: RefName): Promise<void> {
  const head = await repository.head();
  if (head.kind === 'unborn' && head.ref === into) return;
  throw new CoppiceError('not-found', 'branch-not-found', `There is no branch ${shortName(into)} to merge into.`, {
    hint: `\`git branch\` lists them; \`git branch ${shortName(into)}\` makes it.`,
  });
}

/** What goes into a branch carries no checkpoint: the tail becomes a commit first. */
async function withCommittedTail(
  workplace: Workplace,
  looked: Reconciled,
  { into, allowMarkers, noVerify = false }: MergeRequest,
): Promise<Environment> {
  const { environment } = looked;
  const author = await authorOf(workplace, environment);
  const message = environment.record.title ?? `Work of ${environment.name}`;
  try {
    const markers = allowMarkers ? ('allow' as const) : { newTo: into };
    return (await commitTail(workplace, environment, { message, author, noVerify, markers }, looked)).environment;
  } catch (error) {
    if (!hasCode(error, 'nothing-to-commit')) throw error;
    return (await readEnvironment(workplace, environment.name)) ?? environment;
  }
}

async function authorOf({ repository }: Workplace, { record }: Environment): Promise<Identity> {
  return (await repository.identity()) ?? record.author;
}

async function attemptMerge(
  workplace: Workplace,
  environment: Environment,
  request: MergeRequest,
  part: Part | undefined,
): Promise<Attempt> {
  const { repository, merging } = workplace;
  const { head } = environment.at;
  const { into } = request;
  const before = (await repository.readRef(into)) ?? null;
  const done = { environment, into, before, hooks: noHooks, resolved: [] };
  const nothing: Attempt = { ...done, after: before ?? head, kind: 'nothing-to-do', worktree: null };
  if (before !== null && (await repository.isAncestor(part?.commit ?? head, before))) return nothing;
  const made = await madeCommit(workplace, environment, request, before, part);
  if (made === undefined) return nothing;
  const reason = `coppice: merge ${environment.name}`;
  const { worktree } = await afterApply(environment, merging.advance(into, before, made.commit, reason));
  const after = await remember(workplace, environment, request, made, part);
  return {
    ...done,
    environment: after,
    after: made.commit,
    kind: made.kind,
    worktree,
    hooks: made.hooks ?? noHooks,
    resolved: made.resolved ?? [],
  };
}

/** Files that stand in the way where `apply` has put them are no riddle. */
async function afterApply<Result>({ name, at }: Environment, delivery: Promise<Result>): Promise<Result> {
  try {
    return await delivery;
  } catch (error) {
    if (at.applied === undefined || !hasCode(error, 'checkout-dirty')) throw error;
    throw new CoppiceError(error.kind, error.code, error.message, {
      hint: `\`coppice apply ${name}\` has put changes there. Commit them, or put them aside with \`git stash -u\`, then merge again: it brings all of ${name}.`,
      data: error.data,
      cause: error,
    });
  }
}

interface Made {
  readonly commit: Oid;
  readonly kind: Exclude<Merged['kind'], 'nothing-to-do'>;
  readonly start?: MergeStart;
  readonly hooks?: Omit<HooksRun, 'message'>;
  readonly resolved?: readonly ResolvedInside[];
}

async function madeCommit(
  workplace: Workplace,
  environment: Environment,
  request: MergeRequest,
  before: Oid | null,
  part: Part | undefined,
): Promise<Made | undefined> {
  const { repository } = workplace;
  const { head } = environment.at;
  if (before === null) return { commit: head, kind: 'fast-forward' };
  if (request.strategy === 'ff-only') {
    if (await repository.isAncestor(before, head)) return { commit: head, kind: 'fast-forward' };
    throw notFastForward(request.into);
  }
  const start = await mergeStart(workplace, environment, request.into, before, head);
  const work = { before, start, part };
  return request.strategy === 'rebase' && (part === undefined || part.commits.length > 0)
    ? rebased(workplace, environment, work)
    : merged(workplace, environment, request, work);
}

function notFastForward(into: RefName): CoppiceError {
  const sentence = `${shortName(into)} has moved on: no fast-forward is possible.`;
  return new CoppiceError('refused', 'not-fast-forward', sentence, { hint: 'Merge without --ff-only.' });
}

interface Work {
  readonly before: Oid;
  readonly start: MergeStart | undefined;
  readonly part: Part | undefined;
}

async function rebased(
  workplace: Workplace,
  environment: Environment,
  { before, start, part }: Work,
): Promise<Made | undefined> {
  const { repository } = workplace;
  const exclude = [before, ...(start?.delivered === undefined ? [] : [start.delivered])];
  const commits = part?.commits ?? oldestFirst(await repository.log({ start: environment.at.head, exclude }));
  const { tree } = await repository.readCommit(before);
  const { commit, made } = await replay(workplace, {
    // Merges of the target brought in nothing of the environment's own, as for git rebase.
    commits: commits.filter(({ parents }) => parents.length <= 1),
    onto: { parent: before, tree },
    committer: await authorOf(workplace, environment),
    sign: await signs(workplace),
    hint: `The branch is as it was. Merge without --rebase, or \`coppice sync ${environment.name}\` first.`,
  });
  return made === 0 ? undefined : { commit, kind: 'rebase', ...(start === undefined ? {} : { start }) };
}

async function merged(
  workplace: Workplace,
  environment: Environment,
  request: MergeRequest,
  { before, start, part }: Work,
): Promise<Made | undefined> {
  const { repository } = workplace;
  const theirs = part?.commit ?? environment.at.head;
  const computed = await mergeFrom(workplace, start, before, theirs);
  const meeting = { start, before, theirs };
  const { outcome, resolved } = await resolvedOrRefused(workplace, environment, request, computed, meeting);
  const linear = request.strategy !== 'merge';
  const unchanged = outcome.tree === (await repository.readCommit(before)).tree;
  if (unchanged && (linear || part !== undefined)) return undefined;
  const author = await authorOf(workplace, environment);
  const commits = await repository.log({ start: theirs, exclude: [environment.at.base, before] });
  const message = mergeMessage(environment, {
    given: request.message,
    linear,
    part: part !== undefined,
    commits,
  });
  const write = (text: string, sign: boolean) =>
    repository.writeCommit({
      tree: outcome.tree,
      parents: linear ? [before] : [before, theirs],
      author,
      committer: author,
      message: text,
      sign,
    });
  const hooks = request.noVerify
    ? { ...noHooks, message }
    : await runMergeHooks(workplace, environment, {
        draft: await write(message, false),
        before,
        theirs: linear ? undefined : theirs,
        message,
      });
  const commit = await write(hooks.message, await signs(workplace));
  return { commit, kind: linear ? 'squash' : 'merge', hooks, resolved, ...(start === undefined ? {} : { start }) };
}

async function signs({ repository }: Workplace): Promise<boolean> {
  return (await repository.config('commit.gpgSign')) === 'true';
}

/** What later merges have to know: git itself where a merge commit says it, else a note of what was delivered. */
async function remember(
  workplace: Workplace,
  environment: Environment,
  { into }: MergeRequest,
  { commit, kind, start }: Made,
  part: Part | undefined,
): Promise<Environment> {
  const { repository } = workplace;
  const { head } = environment.at;
  if ((kind === 'squash' || kind === 'rebase') && start !== undefined) {
    const tree = part?.tree ?? (await repository.readCommit(head)).tree;
    await noteDelivery(workplace, environment, into, { landed: commit, head, start, tree });
  }
  if (kind !== 'merge' || part === undefined || (await repository.isAncestor(part.commit, head))) return environment;
  return joinPart(workplace, environment, part);
}

/** The environment has the part already: a merge that changes no file says so to git. */
async function joinPart(workplace: Workplace, start: Environment, part: Part): Promise<Environment> {
  const { repository } = workplace;
  for (let environment = start; ; ) {
    const { head: from } = environment.at;
    const { author } = environment.record;
    const head = await repository.writeCommit({
      tree: (await repository.readCommit(from)).tree,
      parents: [from, part.commit],
      author,
      committer: author,
      message: `Merge what was delivered of ${environment.name}\n`,
    });
    try {
      const followed = await followHead(workplace, environment, { head, from, cause: 'merge', outside: true });
      await bringInOutside(workplace, followed.environment);
      return (await readEnvironment(workplace, environment.name)) ?? followed.environment;
    } catch (error) {
      const now = hasCode(error, 'head-moved') ? await readEnvironment(workplace, environment.name) : undefined;
      if (now === undefined) throw error;
      environment = now;
    }
  }
}

export function conflict(
  environment: Environment,
  into: RefName,
  conflicts: readonly Conflict[],
  output = '',
): CoppiceError {
  const files = conflictView(conflicts);
  const many = files.length === 1 ? '1 file conflicts' : `${files.length} files conflict`;
  return new CoppiceError('conflict', 'merge-conflict', `${many} between ${environment.name} and ${shortName(into)}.`, {
    hint: `Nothing was changed. \`coppice resolve ${environment.name}${into === environment.target ? '' : ` --into ${shortName(into)}`}\` makes an environment to resolve it in; \`coppice sync ${environment.name}\` brings ${shortName(into)} into this one, to resolve it there with plain git.`,
    data: { environment: environment.name, into: shortName(into), files, ...(output === '' ? {} : { output }) },
  });
}
