/** The commit that a merge puts on the branch. Objects only; nothing moves. */
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { type RefName, shortName } from '../../domain/ref-name.ts';
import type { CommitInfo, Identity } from '../../git/repository.ts';
import type { Environment } from '../environment.ts';
import type { Workplace } from '../workplace.ts';
import { resolvedOrRefused } from './conflict.ts';
import { type HooksRun, runMergeHooks } from './hooks.ts';
import type { ResolvedInside } from './inside.ts';
import { mergeMessage } from './message.ts';
import type { Part } from './part.ts';
import { oldestFirst, type Replayed, replay } from './replay.ts';
import type { Merged, MergeRequest } from './request.ts';
import { type MergeStart, mergeFrom, mergeStart } from './start.ts';

export interface Made {
  readonly commit: Oid;
  readonly kind: Exclude<Merged['kind'], 'nothing-to-do'>;
  readonly start?: MergeStart;
  readonly hooks?: Omit<HooksRun, 'message'>;
  readonly resolved?: readonly ResolvedInside[];
}

export async function madeCommit(
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

async function rebased(workplace: Workplace, environment: Environment, work: Work): Promise<Made | undefined> {
  const { commit, made } = await replayed(workplace, environment, work, { sign: await signs(workplace) });
  return made === 0
    ? undefined
    : { commit, kind: 'rebase', ...(work.start === undefined ? {} : { start: work.start }) };
}

/** Throws `replay-conflict` as the rebase would, before anything moves: what is not committed yet counts as one commit. */
export async function rehearseRebase(workplace: Workplace, environment: Environment, work: Work): Promise<void> {
  const { tip, head } = environment.at;
  const last = { ...(await workplace.repository.readCommit(tip)), parents: [head] };
  await replayed(workplace, environment, work, { sign: false, ...(tip === head ? {} : { last }) });
}

async function replayed(
  workplace: Workplace,
  environment: Environment,
  { before, start, part }: Work,
  { sign, last }: { readonly sign: boolean; readonly last?: CommitInfo },
): Promise<Replayed> {
  const { repository } = workplace;
  const exclude = [before, ...(start?.delivered === undefined ? [] : [start.delivered])];
  const commits = part?.commits ?? oldestFirst(await repository.log({ start: environment.at.head, exclude }));
  const { tree } = await repository.readCommit(before);
  return replay(workplace, {
    // Merges of the target brought in nothing of the environment's own, as for git rebase.
    commits: [...commits.filter(({ parents }) => parents.length <= 1), ...(last === undefined ? [] : [last])],
    onto: { parent: before, tree },
    committer: await authorOf(workplace, environment),
    sign,
    hint: `The branch is as it was. Merge without --rebase, or \`coppice sync ${environment.name}\` first.`,
  });
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
        draft: async () => ({ commit: await write(message, false), before }),
        theirs: linear ? undefined : theirs,
        message,
      });
  const commit = await write(hooks.message, await signs(workplace));
  return { commit, kind: linear ? 'squash' : 'merge', hooks, resolved, ...(start === undefined ? {} : { start }) };
}

async function signs({ repository }: Workplace): Promise<boolean> {
  return (await repository.config('commit.gpgSign')) === 'true';
}

export const noHooks = { ran: 'none', output: '' } as const;

export async function authorOf({ repository }: Workplace, { record }: Environment): Promise<Identity> {
  return (await repository.identity()) ?? record.author;
}
