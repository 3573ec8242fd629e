/** Merges an environment's work into a branch: computed on objects, delivered by one compare-and-swap. */
import { textOf } from '../domain/byte-path.ts';
import type { Held } from '../domain/change.ts';
import { CoppiceError } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import { type RefName, shortName } from '../domain/ref-name.ts';
import type { Conflict, MergeOutcome } from '../git/merging.ts';
import { commitTail, inProgress } from './commit.ts';
import type { Environment } from './environment.ts';
import { readEnvironment } from './find.ts';
import { refuseLeakyChanges, refuseLeakyCommits } from './leaks.ts';
import { reconcileFully } from './reconcile.ts';
import type { Workplace } from './workplace.ts';

export type Strategy = 'merge' | 'squash' | 'ff-only';

export interface MergeRequest {
  readonly into: RefName;
  readonly strategy: Strategy;
  readonly message: string | undefined;
  /** Conflict markers in the work are no reason to refuse. */
  readonly allowMarkers: boolean;
  /** Neither is what looks like a secret in the agent's own commits. */
  readonly allowSecrets: boolean;
}

export interface Merged {
  readonly environment: Environment;
  readonly into: RefName;
  readonly before: Oid | null;
  readonly after: Oid;
  readonly kind: 'merge' | 'squash' | 'fast-forward' | 'nothing-to-do';
  /** The checkout that was brought along, when the branch is checked out. */
  readonly worktree: string | null;
  /** What was not merged because it is held. */
  readonly held: readonly Held[];
}

/** Retries when the branch moves meanwhile: the merge is computed anew against where it is then. */
export async function mergeInto(workplace: Workplace, start: Environment, request: MergeRequest): Promise<Merged> {
  const held = await refuseConflict(workplace, start, request);
  const environment = await withCommittedTail(workplace, start, request);
  for (let attempt = 1; ; attempt += 1) {
    try {
      return { ...(await attemptMerge(workplace, environment, request)), held };
    } catch (error) {
      if (!(error instanceof CoppiceError) || error.code !== 'ref-moved' || attempt >= 20) throw error;
    }
  }
}

/** Looked at before anything moves, the environment's own branch included: on a conflict nothing has changed anywhere. */
async function refuseConflict(
  workplace: Workplace,
  start: Environment,
  request: MergeRequest,
): Promise<readonly Held[]> {
  const before = await workplace.repository.readRef(request.into);
  if (before === undefined) await refuseUnknown(workplace, request.into);
  const { environment, operation, held } = await reconcileFully(workplace, start);
  if (operation !== undefined) throw inProgress(environment, operation);
  if (!request.allowSecrets) await refuseLeaks(workplace, environment, request, before);
  if (before === undefined || request.strategy === 'ff-only') return held;
  const outcome = await workplace.merging.merge(before, environment.at.tip, { keep: false });
  if (outcome.kind === 'conflict') throw conflict(environment, request.into, outcome.conflicts);
  return held;
}

/** A squash brings files only: what an earlier commit had in it stays behind. */
async function refuseLeaks(
  workplace: Workplace,
  environment: Environment,
  { strategy }: MergeRequest,
  into: Oid | undefined,
): Promise<void> {
  const { at } = environment;
  if (strategy !== 'squash' || into === undefined) await refuseLeakyCommits(workplace, environment, into);
  else {
    const before = (await workplace.repository.mergeBase(into, at.head)) ?? (await workplace.repository.emptyTree());
    await refuseLeakyChanges(workplace, environment, { before, after: at.head });
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
  environment: Environment,
  { into, allowMarkers }: MergeRequest,
): Promise<Environment> {
  const author = (await workplace.repository.identity()) ?? environment.record.author;
  const message = environment.record.title ?? `Work of ${environment.name}`;
  try {
    const markers = allowMarkers ? ('allow' as const) : { newTo: into };
    return (await commitTail(workplace, environment, { message, author, noVerify: false, markers })).environment;
  } catch (error) {
    if (error instanceof CoppiceError && error.code === 'nothing-to-commit') {
      return (await readEnvironment(workplace, environment.name)) ?? environment;
    }
    throw error;
  }
}

async function attemptMerge(
  workplace: Workplace,
  environment: Environment,
  request: MergeRequest,
): Promise<Omit<Merged, 'held'>> {
  const { repository, merging } = workplace;
  const { head } = environment.at;
  const before = (await repository.readRef(request.into)) ?? null;
  const done = { environment, into: request.into, before };
  if (before !== null && (await repository.isAncestor(head, before))) {
    return { ...done, after: before, kind: 'nothing-to-do', worktree: null };
  }
  const made = await mergedCommit(workplace, environment, request, before);
  if (made === undefined) return { ...done, after: before ?? head, kind: 'nothing-to-do', worktree: null };
  const reason = `coppice: merge ${environment.name}`;
  const { worktree } = await merging.advance(request.into, before, made.commit, reason);
  return { ...done, after: made.commit, kind: made.kind, worktree };
}

async function mergedCommit(workplace: Workplace, environment: Environment, request: MergeRequest, before: Oid | null) {
  const { repository } = workplace;
  const { head } = environment.at;
  if (before === null) return { commit: head, kind: 'fast-forward' as const };
  if (request.strategy === 'ff-only') {
    if (await repository.isAncestor(before, head)) return { commit: head, kind: 'fast-forward' as const };
    throw new CoppiceError(
      'refused',
      'not-fast-forward',
      `${shortName(request.into)} has moved on: no fast-forward is possible.`,
      {
        hint: 'Merge without --ff-only.',
      },
    );
  }
  const outcome = await workplace.merging.merge(before, head);
  if (outcome.kind === 'conflict') throw conflict(environment, request.into, outcome.conflicts);
  return writeMerge(workplace, environment, request, before, outcome);
}

async function writeMerge(
  workplace: Workplace,
  environment: Environment,
  request: MergeRequest,
  before: Oid,
  outcome: Extract<MergeOutcome, { kind: 'clean' }>,
) {
  const { repository } = workplace;
  const { head, base } = environment.at;
  const squash = request.strategy === 'squash';
  if (squash && outcome.tree === (await repository.readCommit(before)).tree) return undefined;
  const author = (await repository.identity()) ?? environment.record.author;
  const commits = await repository.log({ start: head, exclude: [base, before] });
  const subjects = commits.map(({ message }) => `* ${message.split('\n')[0] ?? ''}`).reverse();
  const sign = (await repository.config('commit.gpgSign')) === 'true';
  const commit = await repository.writeCommit({
    tree: outcome.tree,
    parents: squash ? [before] : [before, head],
    author,
    committer: author,
    message: messageOf(environment, request, subjects),
    sign,
  });
  return { commit, kind: squash ? ('squash' as const) : ('merge' as const) };
}

function messageOf({ name, record }: Environment, request: MergeRequest, subjects: readonly string[]): string {
  if (request.message !== undefined) return `${request.message.trim()}\n`;
  const title = record.title === null ? '' : `: ${record.title}`;
  if (request.strategy === 'squash') {
    const [only] = subjects;
    if (subjects.length === 1 && only !== undefined) return `${record.title ?? only.slice(2)}\n`;
    return `${record.title ?? `Work of ${name}`}\n\n${subjects.join('\n')}\n`;
  }
  return `Merge environment ${name}${title}\n\n${subjects.join('\n')}\n`;
}

export function conflict(environment: Environment, into: RefName, conflicts: readonly Conflict[]): CoppiceError {
  const files = conflictView(conflicts);
  const many = files.length === 1 ? '1 file conflicts' : `${files.length} files conflict`;
  return new CoppiceError('conflict', 'merge-conflict', `${many} between ${environment.name} and ${shortName(into)}.`, {
    hint: `Nothing was changed. \`coppice sync ${environment.name}\` brings ${shortName(into)} into the environment to resolve it there with plain git; then merge again.`,
    data: { environment: environment.name, into: shortName(into), files },
  });
}

export function conflictView(conflicts: readonly Conflict[]) {
  return conflicts.map(({ path, kind, base, ours, theirs }) => ({
    path: textOf(path),
    kind: kind as string,
    base: base?.oid ?? null,
    ours: ours?.oid ?? null,
    theirs: theirs?.oid ?? null,
  }));
}
