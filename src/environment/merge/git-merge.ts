/** Merges a commit into an environment with the git inside, which leaves a conflict there in its own form. */
import { type BytePath, textOf } from '../../domain/byte-path.ts';
import type { Held } from '../../domain/change.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import type { RefName } from '../../domain/ref-name.ts';
import type { MergeOutcome } from '../../git/merging.ts';
import type { TreeChange } from '../../git/repository.ts';
import type { LfsOffer } from '../../git/worktree.ts';
import type { Container, Runtime } from '../../runtime/runtime.ts';
import { bringInOutside, hasGit, incomingRef } from '../commit.ts';
import { layoutOf, pipeInto, runInside } from '../container.ts';
import type { Environment } from '../environment.ts';
import { readEnvironment } from '../find.ts';
import { obstacles } from '../obstacles.ts';
import { type Reconciled, reconcileFully } from '../reconcile.ts';
import { withContents } from '../resolution/conflicted-tree.ts';
import { type Recalled, recall } from '../resolution/memory.ts';
import type { Workplace } from '../workplace.ts';

export interface InsideMerge {
  readonly commit: Oid;
  /** What names it inside, and in conflict markers. */
  readonly ref: RefName;
  /** For people. */
  readonly label: string;
  readonly message: string;
  /** Its history may be shown to every environment: it comes from a branch of the user's. Else only this one gets it. */
  readonly shared: boolean;
}

export interface InsideConflict {
  readonly path: string;
  readonly kind: string;
}

export type GitMerged = {
  readonly environment: Environment;
  readonly held: readonly Held[];
  /** Files of Git LFS that came as pointers, because their content is not here. */
  readonly pointers: number;
} & (
  | { readonly kind: 'merged' }
  | { readonly kind: 'conflict'; readonly files: readonly InsideConflict[]; readonly remembered: readonly string[] }
);

export interface Inside {
  readonly runtime: Runtime;
  readonly container: Container;
}

/** Exit status of `git merge` for a conflict; of the scripts, those that are not git's own. */
const conflicted = 1;
const headMoved = 75;
const locked = 76;

/** What conflicts is listed on stdout, NUL after each; what git says goes to stderr. */
const mergeScript = `
test "$(git rev-parse HEAD)" = "$COPPICE_HEAD" || exit ${headMoved}
test ! -e "$(git rev-parse --git-path index.lock)" || exit ${locked}
git update-ref "$COPPICE_REF" "$COPPICE_COMMIT" || exit 1
git update-ref -d ${incomingRef} || exit 1
git -c merge.conflictStyle=zdiff3 merge --no-edit -q -m "$COPPICE_MESSAGE" "$COPPICE_REF" >&2 && exit 0
status=$?
git diff --name-only --diff-filter=U -z
exit $status
`;

/**
 * For an environment in which no merge or rebase is under way, and with everything checkpointed. Throws before anything changed:
 * `overlap` or `in-the-way` (kind `refused`) for what the merge would overwrite, `head-moved`, `no-git-inside`.
 */
export async function gitMergeInside(
  workplace: Workplace,
  reconciled: Reconciled,
  inside: Inside,
  request: InsideMerge,
): Promise<GitMerged> {
  const { runtime, container } = inside;
  const environment = await settled(workplace, reconciled.environment, inside);
  const { commit, label } = request;
  const outcome = await workplace.merging.merge(environment.at.head, commit, { style: 'zdiff3' });
  await refuseOverwriting(workplace, reconciled, environment.at.head, outcome.tree, label);
  const layout = await layoutOf(workplace, environment, runtime);
  if (request.shared) await workplace.worktrees.shareBase(commit);
  else await workplace.transport.push(pipeInto(runtime, container.id), layout.git, commit, incomingRef);
  const { offer, absent } = await offerContent(workplace, environment, outcome, commit);
  const done = await runInside(runtime, container.id, ['sh', '-c', mergeScript], {
    workdir: layout.tree,
    timeoutSeconds: 1800,
    environment: {
      COPPICE_HEAD: environment.at.head,
      COPPICE_REF: request.ref,
      COPPICE_COMMIT: commit,
      COPPICE_MESSAGE: request.message,
      GIT_EDITOR: 'true',
      ...withoutFetching(absent),
    },
  });
  // While a conflict waits, either side may still be checked out.
  if (done.status !== conflicted) await offer.withdraw();
  if (done.status === headMoved) throw moved(environment);
  if (done.status === locked) throw indexLocked(environment);
  const after = await reconcileFully(workplace, environment, { cause: `merge of ${label}` });
  const result = { environment: after.environment, held: after.held, pointers: absent.length };
  if (done.status === 0) return { ...result, kind: 'merged' };
  if (after.operation !== 'merge') throw refusedByGit(environment, label, done.stderr);
  const unmerged = done.stdout.split('\0').filter((path) => path !== '');
  const recalled = await recallInside(workplace, environment, inside, outcome, unmerged);
  const again = recalled.length === 0 ? after : await reconcileFully(workplace, environment, { cause: recalling });
  return {
    ...result,
    environment: again.environment,
    held: again.held,
    kind: 'conflict',
    files: unmerged.map((path) => ({ path, kind: kindOf(outcome, path) })),
    remembered: recalled.map(({ path }) => textOf(path)),
  };
}

const recalling = 'resolve as before';

/** What the merge writes; where files conflict, what the other side has of them as well. */
async function offerContent(
  { repository, worktrees }: Workplace,
  { at, directories }: Environment,
  outcome: MergeOutcome,
  theirs: Oid,
): Promise<{ readonly offer: LfsOffer; readonly absent: readonly BytePath[] }> {
  const conflicts = new Set(outcome.kind === 'clean' ? [] : outcome.conflicts.map(({ path }) => path));
  const other = conflicts.size === 0 ? [] : await repository.treeChanges(outcome.tree, theirs);
  const changes = [
    ...(await repository.treeChanges(at.head, outcome.tree)),
    ...other.filter(({ path }) => conflicts.has(path)),
  ];
  const blobs = changes.flatMap(({ after }) => (after === undefined || after.mode === '160000' ? [] : [after.oid]));
  const offer = await worktrees.offerContent(directories, blobs);
  const missing = new Set(offer.absent);
  const absent = changes.filter(({ after }) => after !== undefined && missing.has(after.oid)).map(({ path }) => path);
  return { offer, absent };
}

/** Bytes of a list that still goes into a command's environment. */
const longestList = 64 * 1024;

/** Where the image has git-lfs, one file that it cannot fetch would fail all of the merge: it is not to try. */
function withoutFetching(absent: readonly BytePath[]): Readonly<Record<string, string>> {
  if (absent.length === 0) return {};
  const list = absent.map((path) => `/${textOf(path).replace(/[^\w./-]/g, '?')}`).join(',');
  if (list.length > longestList) return { GIT_LFS_SKIP_SMUDGE: '1' };
  return { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'lfs.fetchexclude', GIT_CONFIG_VALUE_0: list };
}

/** HEAD inside must be what the host takes it for: a commit made outside goes in first. */
export async function settled(workplace: Workplace, environment: Environment, { runtime, container }: Inside) {
  if (!(await hasGit(runtime, container))) throw noGit(environment);
  if (environment.at.outside === undefined) return environment;
  await bringInOutside(workplace, environment);
  return (await readEnvironment(workplace, environment.name)) ?? environment;
}

/**
 * For a merge of HEAD, which is or will be `head`, that ends with `tree`. git itself would refuse most of it, in words only;
 * ignored files it would overwrite without a word.
 */
export async function refuseOverwriting(
  workplace: Workplace,
  { environment, held }: Pick<Reconciled, 'environment' | 'held'>,
  head: Oid,
  tree: Oid,
  label: string,
): Promise<void> {
  const { at, name, directories } = environment;
  const { repository } = workplace;
  const touched = await repository.treeChanges(head, tree);
  const dirty = at.tip === head ? [] : await repository.treeChanges(head, at.tip);
  const uncommitted = overlapping(touched, [...dirty.map(({ path }) => path), ...held.map(({ path }) => path)]);
  if (uncommitted.length > 0) throw overlap(environment, label, uncommitted);
  const blocked = obstacles(directories.tree, touched);
  if (blocked.length === 0) return;
  const paths = blocked.map(textOf);
  throw new CoppiceError(
    'refused',
    'in-the-way',
    `${named(paths)} would be lost in a merge of ${label}: ${paths.length === 1 ? 'it is' : 'they are'} on no branch of ${name}.`,
    { hint: `Nothing was changed. Move it away: coppice exec ${name} -- mv …`, data: { name, paths } },
  );
}

/** Equal paths, and a file where the other has a directory. */
function overlapping(touched: readonly TreeChange[], dirty: readonly BytePath[]): readonly string[] {
  const changed = new Set(touched.map(({ path }) => path as string));
  const below = new Set(touched.flatMap(({ path }) => parentsOf(path)));
  return dirty
    .filter((path) => changed.has(path) || below.has(path) || parentsOf(path).some((parent) => changed.has(parent)))
    .map(textOf);
}

function parentsOf(path: BytePath): readonly string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join('/'));
}

function named(paths: readonly string[]): string {
  return paths.length === 1 ? (paths[0] ?? '') : `${paths[0]} and ${paths.length - 1} more`;
}

/**
 * Writes what is remembered into the files, as rerere does without autoupdate: the paths stay unmerged in the index, so
 * that somebody looks at them.
 */
async function recallInside(
  workplace: Workplace,
  environment: Environment,
  { runtime, container }: Inside,
  outcome: MergeOutcome,
  unmerged: readonly string[],
): Promise<readonly Recalled[]> {
  if (outcome.kind === 'clean') return [];
  const recalled = (await recall(workplace, outcome)).filter(({ path }) => unmerged.includes(textOf(path)));
  if (recalled.length === 0) return [];
  const author = { name: 'coppice', email: 'coppice@localhost' };
  const commit = await workplace.repository.writeCommit({
    tree: await withContents(workplace, null, recalled),
    parents: [],
    author,
    committer: author,
    message: `${recalling}\n`,
  });
  const layout = await layoutOf(workplace, environment, runtime);
  await workplace.transport.push(pipeInto(runtime, container.id), layout.git, commit, incomingRef);
  const script = `git restore --overlay --worktree --source=${incomingRef} -- :/ && git update-ref -d ${incomingRef}`;
  const done = await runInside(runtime, container.id, ['sh', '-c', script], { workdir: layout.tree });
  return done.status === 0 ? recalled : [];
}

function kindOf(outcome: MergeOutcome, path: string): string {
  if (outcome.kind === 'clean') return 'other';
  return outcome.conflicts.find((conflict) => textOf(conflict.path) === path)?.kind ?? 'other';
}

const moveScript = `
test "$(git rev-parse HEAD)" = "$COPPICE_HEAD" || exit ${headMoved}
git reset -q ${incomingRef} && git update-ref -d ${incomingRef}
`;

/** Moves HEAD to a commit whose tree the files have already: they are not touched. */
export async function moveHead(
  workplace: Workplace,
  environment: Environment,
  { runtime, container }: Inside,
  commit: Oid,
): Promise<Reconciled> {
  const layout = await layoutOf(workplace, environment, runtime);
  await workplace.transport.push(pipeInto(runtime, container.id), layout.git, commit, incomingRef);
  const done = await runInside(runtime, container.id, ['sh', '-c', moveScript], {
    workdir: layout.tree,
    environment: { COPPICE_HEAD: environment.at.head },
  });
  if (done.status === headMoved) throw moved(environment);
  if (done.status !== 0) throw refusedByGit(environment, commit, done.stderr);
  return reconcileFully(workplace, environment);
}

/** Ends the merge that is under way inside; the files that it changed become what they were. False when git would not. */
export async function abortInside(
  workplace: Workplace,
  environment: Environment,
  { runtime, container }: Inside,
): Promise<boolean> {
  if (!(await hasGit(runtime, container))) throw noGit(environment);
  const workdir = (await layoutOf(workplace, environment, runtime)).tree;
  return (await runInside(runtime, container.id, ['git', 'merge', '--abort'], { workdir })).status === 0;
}

function noGit({ name }: Environment): CoppiceError {
  return new CoppiceError('unavailable', 'no-git-inside', `The image of ${name} has no git to merge with.`, {
    hint: 'Use an image that has git.',
  });
}

function overlap({ name }: Environment, label: string, paths: readonly string[]): CoppiceError {
  return new CoppiceError(
    'refused',
    'overlap',
    `${named(paths)} in ${name} ${paths.length === 1 ? 'is' : 'are'} uncommitted, and ${label} changes ${paths.length === 1 ? 'it' : 'them'} too.`,
    {
      hint: `Nothing was changed. Commit first: \`coppice commit ${name} -m …\`, or say -m … here.`,
      data: { environment: name, paths },
    },
  );
}

function moved({ name }: Environment): CoppiceError {
  return new CoppiceError('conflict', 'head-moved', `HEAD has moved inside ${name} at the same moment.`, {
    hint: 'Nothing was changed. Try again.',
  });
}

function indexLocked({ name }: Environment): CoppiceError {
  return new CoppiceError('unavailable', 'index-locked', `Another git is at work inside ${name}.`, {
    hint: `Nothing was changed. Try again; if none is running, \`coppice exec ${name} -- sh -c 'rm "$(git rev-parse --git-path index.lock)"'\`.`,
  });
}

function refusedByGit({ name }: Environment, label: string, stderr: string): CoppiceError {
  const said = stderr.trim().slice(0, 500);
  return new CoppiceError('refused', 'sync-refused', `git would not merge ${label} in ${name}: ${said}`, {
    hint: `Nothing was changed. \`coppice exec ${name} -- git status\` says more.`,
  });
}
