/** Everything that can refuse a merge, looked at before anything moves. */
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { type RefName, shortName } from '../../domain/ref-name.ts';
import { inProgress } from '../commit.ts';
import type { Environment } from '../environment.ts';
import { refuseLeakyChanges, refuseLeakyCommits, refuseLeakySubjects } from '../leaks.ts';
import { startOfWork } from '../merged/merged.ts';
import { type Reconciled, reconcileFully } from '../reconcile.ts';
import { findRuns } from '../runs-elsewhere.ts';
import type { Workplace } from '../workplace.ts';
import { authorOf, rehearseRebase } from './commit.ts';
import { resolvedOrRefused } from './conflict.ts';
import { partMessage } from './message.ts';
import { type Part, partOf, type Selection } from './part.ts';
import type { MergeRequest } from './request.ts';
import { type MergeStart, mergeFrom, mergeStart } from './start.ts';

/** Looked at before anything moves, the environment's own branch included: on a conflict nothing has changed anywhere. */
export async function refuseConflict(
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
  if (strategy === 'rebase' && part === undefined)
    await rehearseRebase(workplace, environment, { before, start, part });
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

/** A squash brings files and, in its message, subjects: what else an earlier commit had in it stays behind. */
async function refuseLeaks(
  workplace: Workplace,
  environment: Environment,
  { strategy, message }: MergeRequest,
  into: Oid | undefined,
  after: Oid = environment.at.head,
): Promise<void> {
  if (strategy !== 'squash' || into === undefined) await refuseLeakyCommits(workplace, environment, into, after);
  else {
    const before = (await workplace.repository.mergeBase(into, after)) ?? (await workplace.repository.emptyTree());
    await refuseLeakyChanges(workplace, environment, { before, after });
    if (message === undefined) await refuseLeakySubjects(workplace, environment, into, after);
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
