/** Concludes a merge that is under way inside, once nothing of its conflicts is left; without anybody having to type git. */
import { type BytePath, textOf } from '../../domain/byte-path.ts';
import type { Held } from '../../domain/change.ts';
import { countConflicts } from '../../domain/conflict-markers.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import { commitInside, hasGit } from '../commit.ts';
import { refuseMarkers } from '../conflicts/markers.ts';
import { layoutOf, runInside } from '../container.ts';
import type { Environment } from '../environment.ts';
import type { Reconciled } from '../reconcile.ts';
import { describeCommand } from '../running-execs.ts';
import type { Workplace } from '../workplace.ts';
import type { Inside } from './git-merge.ts';

export interface ConcludeRequest {
  /** What HEAD was when the merge began. */
  readonly head: Oid;
  /** The files as it left them: a commit or a tree. */
  readonly left: Oid;
  readonly files: readonly { readonly path: BytePath; readonly kind: string }[];
  /** Resolved as before: these may stay as they were left. */
  readonly remembered: readonly BytePath[];
  /** `everything`: as `coppice commit` does. `merge`: what git has merged and the conflicted files; the rest stays uncommitted. */
  readonly take: 'everything' | 'merge';
  readonly message: string;
  readonly noVerify: boolean;
  readonly allowMarkers: boolean;
}

/** Throws `conflict-markers`, `unresolved`, `held-files` (kind `refused`), `no-git-inside`, and what committing throws. */
export async function concludeMerge(
  workplace: Workplace,
  { environment, held }: Pick<Reconciled, 'environment' | 'held'>,
  inside: Inside,
  request: ConcludeRequest,
): Promise<Environment> {
  refuseHeld(environment, request, held);
  if (!request.allowMarkers) await refuseMarkers(workplace, environment, request.head);
  if (!(await hasGit(inside.runtime, inside.container))) throw noGit(environment);
  await refuseUndecided(workplace, environment, request, await unmergedInside(workplace, environment, inside));
  const author = (await workplace.repository.identity()) ?? environment.record.author;
  const { message, noVerify, take } = request;
  const commit = { message, author, noVerify };
  const done = await commitInside(workplace, environment, { ...inside, held }, commit, take);
  return done.environment;
}

/** What is held is not recorded as it is now: the commit would have it as the merge left it. */
function refuseHeld({ name }: Environment, { files }: ConcludeRequest, held: readonly Held[]): void {
  const first = held.find(({ path }) => files.some((file) => file.path === path));
  if (first === undefined) return;
  throw new CoppiceError('refused', 'held-files', `${textOf(first.path)} in ${name} is held: ${first.detail}.`, {
    hint: `Mend it there, or commit it with git inside: \`coppice exec ${name} -- git commit\`.`,
    data: { name, paths: [textOf(first.path)] },
  });
}

/** What the index inside still has stages of. */
async function unmergedInside(
  workplace: Workplace,
  environment: Environment,
  { runtime, container }: Inside,
): Promise<readonly string[]> {
  const { tree: workdir } = await layoutOf(workplace, environment, runtime);
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
  { name, at }: Environment,
  { left, files, remembered }: ConcludeRequest,
  unmerged: readonly string[],
): Promise<void> {
  const touched = new Set((await workplace.repository.treeChanges(left, at.tip)).map(({ path }) => path));
  const candidates = files
    .filter(({ path }) => unmerged.includes(textOf(path)) && !touched.has(path) && !remembered.includes(path))
    .map(({ path, kind }) => ({ path: textOf(path), kind }));
  const undecided = await withoutMarkers(workplace, left, candidates);
  const [first] = undecided;
  if (first === undefined) return;
  const more = undecided.length > 1 ? ` and ${undecided.length - 1} more` : '';
  const keeping = describeCommand(['coppice', 'exec', name, '--', 'git', 'add', first.path]);
  throw new CoppiceError('refused', 'unresolved', `${first.path}${more} in ${name} is not resolved (${first.kind}).`, {
    hint: `Say which it shall be inside: \`${keeping}\` keeps the file as it is there, \`git rm\` removes it.`,
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

function noGit({ name }: Environment): CoppiceError {
  return new CoppiceError('unavailable', 'no-git-inside', `The image of ${name} has no git to commit with.`, {
    hint: 'Use an image that has git.',
  });
}
