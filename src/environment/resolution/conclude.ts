/** Makes the merge commit of a resolution, or finds the one that was made inside with plain git. */
import { type BytePath, textOf } from '../../domain/byte-path.ts';
import { CoppiceError } from '../../domain/error.ts';
import { inProgress } from '../commit.ts';
import { runningContainer } from '../container.ts';
import { concludeMerge } from '../merge/conclude.ts';
import { type Reconciled, reconcileFully, withContainerRunning } from '../reconcile.ts';
import type { Workplace } from '../workplace.ts';
import { otherName } from './conflict.ts';
import { isResolution, type Resolution } from './find.ts';

export interface ConcludeRequest {
  /** Of the merge commit, where it is not made yet. */
  readonly message: string | undefined;
  readonly noVerify: boolean;
  readonly allowMarkers: boolean;
}

/**
 * Throws `conflict-markers`, `unresolved`, `uncommitted-changes`, `merge-ended` (kind `refused`), `operation-in-progress`, and
 * what committing throws.
 */
export async function conclude(
  workplace: Workplace,
  start: Resolution,
  request: ConcludeRequest,
): Promise<Resolution & { readonly held: Reconciled['held'] }> {
  const seen = await reconcileFully(workplace, start);
  const resolution = asResolution(seen.environment);
  if (seen.operation === undefined) {
    await refuseUnmade(workplace, resolution);
    return { ...resolution, held: seen.held };
  }
  if (seen.operation !== 'merge') throw inProgress(resolution, seen.operation);
  const { conflict } = resolution.record;
  const made = await withContainerRunning(workplace, resolution, async () => {
    const inside = await runningContainer(workplace, resolution);
    return concludeMerge(workplace, { environment: resolution, held: seen.held }, inside, {
      head: conflict.head,
      left: conflict.left,
      files: conflict.files.map(({ path, kind }) => ({ path: path as BytePath, kind })),
      remembered: conflict.remembered.map((path) => path as BytePath),
      take: 'everything',
      message: request.message ?? conflict.message,
      noVerify: request.noVerify,
      allowMarkers: request.allowMarkers,
    });
  });
  const done = asResolution(made);
  await refuseUnmade(workplace, done);
  return { ...done, held: seen.held };
}

function asResolution(environment: Reconciled['environment']): Resolution {
  if (isResolution(environment)) return environment;
  throw new CoppiceError('bug', 'no-conflict-record', `${environment.name} has lost the conflict it was made for.`);
}

/** HEAD must have both sides, and be all there is. */
async function refuseUnmade(workplace: Workplace, resolution: Resolution): Promise<void> {
  const { repository } = workplace;
  const { at, name, record } = resolution;
  const { ours, theirs, environment } = record.conflict;
  if (!((await repository.isAncestor(ours, at.head)) && (await repository.isAncestor(theirs, at.head)))) {
    const other = otherName(record.conflict);
    throw new CoppiceError('refused', 'merge-ended', `The merge inside ${name} was ended without a commit.`, {
      hint: `\`coppice exec ${name} -- git merge refs/remotes/coppice/${other}\` begins it again; \`coppice resolve ${environment} --abort\` gives up.`,
      data: { name },
    });
  }
  const changed = await repository.treeChanges(at.head, at.tip);
  const [first] = changed;
  if (first === undefined) return;
  const more = changed.length > 1 ? ` and ${changed.length - 1} more` : '';
  throw new CoppiceError(
    'refused',
    'uncommitted-changes',
    `${textOf(first.path)}${more} changed in ${name} after the merge commit.`,
    {
      hint: `\`coppice commit ${name} -m …\` takes them along; or remove them inside.`,
      data: { name, paths: changed.map(({ path }) => textOf(path)) },
    },
  );
}
