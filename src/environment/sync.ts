/** Brings a branch's commits into an environment, by a merge that git makes inside, in its own form. */
import { CoppiceError } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import { type RefName, shortName } from '../domain/ref-name.ts';
import { hasGit, inProgress } from './commit.ts';
import { layoutOf, runInside, runningContainer } from './container.ts';
import type { Environment } from './environment.ts';
import { reconcileFully } from './reconcile.ts';
import type { Workplace } from './workplace.ts';

export interface Synced {
  readonly environment: Environment;
  readonly from: RefName;
  readonly commit: Oid;
  readonly kind: 'merged' | 'nothing-to-do';
}

/** The branch appears inside under this name, so that `git log` and `git diff` there can name it. */
const insideRef = (branch: RefName) => `refs/remotes/coppice/${shortName(branch)}`;

const mergeScript = `
git update-ref "$COPPICE_REF" "$COPPICE_COMMIT" || exit 1
git -c merge.conflictStyle=zdiff3 merge --no-edit -q -m "$COPPICE_MESSAGE" "$COPPICE_COMMIT" && exit 0
status=$?
git diff --name-only --diff-filter=U -z | tr '\\0' '\\n' >&2
exit $status
`;

/** A conflict stays inside, as git leaves it: markers in the files, stages in the index. Throws `sync-conflict`. */
export async function syncFrom(workplace: Workplace, start: Environment, from: RefName): Promise<Synced> {
  const { repository } = workplace;
  const commit = await repository.readRef(from);
  if (commit === undefined) {
    throw new CoppiceError('not-found', 'branch-not-found', `There is no branch ${shortName(from)}.`, {
      hint: '`git branch` lists them.',
    });
  }
  const { environment, operation } = await reconcileFully(workplace, start);
  if (operation !== undefined) throw inProgress(environment, operation);
  if (await repository.isAncestor(commit, environment.at.head)) {
    return { environment, from, commit, kind: 'nothing-to-do' };
  }
  const { runtime, container } = await runningContainer(workplace, environment);
  if (!(await hasGit(runtime, container))) {
    throw new CoppiceError(
      'unavailable',
      'no-git-inside',
      `The image of ${environment.name} has no git to merge with.`,
      {
        hint: 'Use an image that has git.',
      },
    );
  }
  await workplace.worktrees.shareBase(commit);
  const done = await runInside(runtime, container.id, ['sh', '-c', mergeScript], {
    workdir: (await layoutOf(workplace, environment, runtime)).tree,
    timeoutSeconds: 1800,
    environment: {
      COPPICE_REF: insideRef(from),
      COPPICE_COMMIT: commit,
      COPPICE_MESSAGE: `Merge branch '${shortName(from)}' into ${environment.name}`,
      GIT_EDITOR: 'true',
    },
  });
  const after = await reconcileFully(workplace, environment, { cause: `sync from ${shortName(from)}` });
  if (done.status === 0) return { environment: after.environment, from, commit, kind: 'merged' };
  throw after.operation === 'merge'
    ? conflicted(environment, from, done.stderr)
    : refused(environment, from, done.stderr);
}

function conflicted(environment: Environment, from: RefName, stderr: string): CoppiceError {
  const files = stderr
    .trim()
    .split('\n')
    .filter((line) => line !== '');
  return new CoppiceError(
    'conflict',
    'sync-conflict',
    `${shortName(from)} conflicts with ${environment.name} in ${files.join(', ')}.`,
    {
      hint: `The merge waits inside: resolve the markers there, then \`git commit\`; or \`git merge --abort\`.`,
      data: { environment: environment.name, from: shortName(from), files },
    },
  );
}

function refused(environment: Environment, from: RefName, stderr: string): CoppiceError {
  return new CoppiceError(
    'refused',
    'sync-refused',
    `git would not merge ${shortName(from)} in ${environment.name}: ${stderr.trim().slice(0, 500)}`,
    {
      hint: `Uncommitted changes in the same files? \`coppice commit ${environment.name} -m …\` first.`,
    },
  );
}
