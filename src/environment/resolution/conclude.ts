/** Makes the merge commit of a resolution, or finds the one that was made inside with plain git. */
import { type BytePath, textOf } from '../../domain/byte-path.ts';
import { countConflicts } from '../../domain/conflict-markers.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { commitInside, hasGit, inProgress } from '../commit.ts';
import { refuseMarkers } from '../conflict-markers.ts';
import { layoutOf, runInside, runningContainer } from '../container.ts';
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
  if (!request.allowMarkers) await refuseMarkers(workplace, resolution, resolution.record.conflict.head);
  const made = await withContainerRunning(workplace, resolution, async () => {
    const { runtime, container } = await runningContainer(workplace, resolution);
    if (!(await hasGit(runtime, container))) throw noGit(resolution);
    await refuseUndecided(workplace, resolution, await unmergedInside(workplace, resolution));
    const author = (await workplace.repository.identity()) ?? resolution.record.author;
    const message = request.message ?? resolution.record.conflict.message;
    const commit = { message, author, noVerify: request.noVerify };
    return commitInside(workplace, resolution, { runtime, container, held: seen.held }, commit);
  });
  const done = asResolution(made.environment);
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

/** What the index inside still has stages of. */
async function unmergedInside(workplace: Workplace, resolution: Resolution): Promise<readonly string[]> {
  const { runtime, container } = await runningContainer(workplace, resolution);
  const { tree: workdir } = await layoutOf(workplace, resolution, runtime);
  const command = ['git', 'diff', '--name-only', '--diff-filter=U', '-z'];
  const { stdout } = await runInside(runtime, container.id, command, { workdir });
  return stdout.split('\0').filter((path) => path !== '');
}

/**
 * A conflict without markers (a file that one side deleted, a binary) cannot be seen to be resolved: somebody must have
 * touched it, or said so with `git add` or `git rm`.
 */
async function refuseUndecided(
  workplace: Workplace,
  { name, at, record }: Resolution,
  unmerged: readonly string[],
): Promise<void> {
  const { left, files, remembered } = record.conflict;
  const touched = new Set((await workplace.repository.treeChanges(left, at.tip)).map(({ path }) => textOf(path)));
  const settled = new Set(remembered.map((path) => textOf(path as BytePath)));
  const candidates = files
    .map(({ path, kind }) => ({ path: textOf(path as BytePath), kind }))
    .filter(({ path }) => unmerged.includes(path) && !touched.has(path) && !settled.has(path));
  const undecided = await withoutMarkers(workplace, left, candidates);
  const [first] = undecided;
  if (first === undefined) return;
  const more = undecided.length > 1 ? ` and ${undecided.length - 1} more` : '';
  throw new CoppiceError('refused', 'unresolved', `${first.path}${more} in ${name} is not resolved (${first.kind}).`, {
    hint: `Say which it shall be inside: \`coppice exec ${name} -- git add ${first.path}\` keeps the file as it is there, \`git rm\` removes it.`,
    data: { name, files: undecided },
  });
}

/** Those with markers were looked at already, or their markers are allowed. */
async function withoutMarkers<File extends { readonly path: string }>(
  { repository }: Workplace,
  left: Oid,
  files: readonly File[],
): Promise<readonly File[]> {
  const contents = await repository.readBlobsAt(files.map(({ path }) => ({ treeish: left, path })));
  return files.filter((_, index) => {
    const content = contents[index];
    return content === undefined || countConflicts(content) === 0;
  });
}

function noGit({ name }: Resolution): CoppiceError {
  return new CoppiceError('unavailable', 'no-git-inside', `The image of ${name} has no git to commit with.`, {
    hint: 'Use an image that has git.',
  });
}
