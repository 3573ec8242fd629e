/** Merges an environment's work, or a part of it, into a branch: computed on objects, delivered by one compare-and-swap. */
import { CoppiceError, hasCode } from '../../domain/error.ts';
import { commitTail } from '../commit.ts';
import type { Environment } from '../environment.ts';
import { readEnvironment } from '../find.ts';
import type { Reconciled } from '../reconcile.ts';
import type { Workplace } from '../workplace.ts';
import { refuseConflict } from './check.ts';
import { authorOf, madeCommit, noHooks } from './commit.ts';
import { remember } from './memory.ts';
import type { Part } from './part.ts';
import type { Merged, MergeRequest } from './request.ts';

/** Retries when the branch moves meanwhile: the merge is computed anew against where it is then. */
export async function mergeInto(workplace: Workplace, start: Environment, asked: MergeRequest): Promise<Merged> {
  const request = { ...asked, memory: asked.memory ?? new Map() };
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

type Attempt = Omit<Merged, 'held'>;

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
