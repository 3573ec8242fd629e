/** Makes an environment's directories and container from its references: after create, restore, or a colleague's fetch. */
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repositoryDirectory, repositoryFile } from '../domain/directories.ts';
import { hasCode } from '../domain/error.ts';
import type { CheckedOut, MergeUnderWay } from '../git/worktree.ts';
import type { Container, InsideLayout, Runtime } from '../runtime/runtime.ts';
import { containerRequest, gitFileOf, labelsOf, layoutOf } from './container.ts';
import { checkpointerRequest, type Environment } from './environment.ts';
import { noteHint } from './import-commits.ts';
import { insideRef, unmerged } from './resolution/conflict.ts';
import { intentsOf } from './resolution/intents.ts';
import { writeNote } from './resolution/note.ts';
import { cacheDirectory } from './running-execs.ts';
import { beginSubmodules } from './submodules.ts';
import type { Workplace } from './workplace.ts';

/** What took how long, in milliseconds. */
export interface Timings {
  readonly files: number;
  readonly git: number;
  readonly container: number;
  readonly total: number;
  /** Files of Git LFS that are pointers, because their content is not here. */
  readonly pointers: number;
  /** Submodules that are empty directories, because nothing of them is here. */
  readonly emptySubmodules: number;
}

/**
 * Whether the worktree is on this machine's disk, whole. The file that says so is written last and goes first: a tree
 * that is half checked out or half removed must never be taken for the agent's work.
 */
export function isMaterialized(environment: Pick<Environment, 'directories'>): boolean {
  return existsSync(markerOf(environment));
}

function markerOf({ directories }: Pick<Environment, 'directories'>): string {
  return join(directories.root, '.whole');
}

/**
 * Checks files out, makes the agent's git directory, and creates and starts the container, side by side where they do not
 * need each other. The caller rolls back when it throws; nothing of it runs any more then.
 */
export async function materialize(workplace: Workplace, environment: Environment, runtime: Runtime): Promise<Timings> {
  const begun = performance.now();
  const since = () => performance.now() - begun;
  const layout = await layoutOf(workplace, environment, runtime);
  await makeDirectories(workplace, environment, layout);
  // What a conflict was begun from is somebody's unfinished work: it goes to this environment only.
  const sharing = workplace.worktrees.shareBase(environment.record.conflict?.shared ?? environment.at.base);
  const making = sharing.then(async () => runtime.create(await containerRequest(workplace, environment, runtime)));
  const building = buildTree(workplace, environment, layout, sharing, since);
  // Whichever fails, the other has ended before anybody takes things down.
  await Promise.allSettled([making, building]);
  const [container, built] = await Promise.all([making, building]);
  // Nothing runs inside before this function returns, so nobody can write while the cache is filled.
  const started = runtime.start(container.id);
  await Promise.all([started, workplace.seedStatCache(checkpointerRequest(environment))]);
  await beginSubmodules(workplace, environment, built.submodules.filled);
  await writeFile(markerOf(environment), '');
  const total = since();
  const { files, git, pointers, submodules } = built;
  const emptySubmodules = submodules.empty.length;
  return { files, git: git - files, container: total - git, total, pointers, emptySubmodules };
}

/** What the container mounts has to be there when it is created; files may come later. */
async function makeDirectories(workplace: Workplace, environment: Environment, layout: InsideLayout): Promise<void> {
  const { root, tree, git, home } = environment.directories;
  await mkdir(root, { recursive: true, mode: 0o700 });
  await noteRepository(workplace);
  await Promise.all([mkdir(tree, { recursive: true }), mkdir(git, { recursive: true })]);
  await mkdir(home, { recursive: true, mode: 0o700 });
  if (layout.mountsGitFile) await writeFile(gitFileOf(environment), '');
  if (environment.record.conflict !== undefined) {
    await writeNote(home, await intentsOf(workplace, environment.record.conflict));
  }
}

/** The files, then the agent's git directory beside them. */
async function buildTree(
  workplace: Workplace,
  environment: Environment,
  layout: InsideLayout,
  sharing: Promise<void>,
  since: () => number,
): Promise<Pick<CheckedOut, 'pointers' | 'submodules'> & { readonly files: number; readonly git: number }> {
  const { directories, refs, at, name } = environment;
  const made = await workplace.worktrees.create({ name, directories, branch: refs.branch, tip: at.tip });
  const files = since();
  await sharing;
  await workplace.worktrees.createOwnGit({
    directories,
    branch: refs.branch,
    head: at.head,
    inside: { tree: layout.tree, git: layout.git, base: layout.base },
    author: environment.record.author,
    linkTree: !layout.mountsGitFile,
    ...mergeUnderWay(environment),
  });
  await noteHint(workplace, environment);
  return { files, git: since(), pointers: made.pointers, submodules: made.submodules };
}

/** An environment for a conflict has its merge under way until HEAD has moved. */
function mergeUnderWay({ record, at }: Environment): { readonly merging?: MergeUnderWay } {
  const { conflict } = record;
  if (conflict === undefined || at.head !== conflict.head) return {};
  const { merging: theirs, message, left } = conflict;
  return {
    merging: { theirs, ref: insideRef(conflict), message: `${message}\n`, left, conflicts: unmerged(conflict) },
  };
}

/** So that the daemon finds the repository again from the environments' directories. Safe to delete. */
async function noteRepository({ surroundings, repository }: Workplace): Promise<void> {
  const directory = repositoryDirectory(surroundings.dataDirectory, repository.id);
  await writeFile(join(directory, repositoryFile), repository.commonDirectory);
}

/** Takes down everything `materialize` may have made. Repeatable; references are the caller's. False where the engine could not be asked. */
export async function dismantle(
  workplace: Workplace,
  environment: Environment,
  options: { readonly withoutEngine?: boolean } = {},
): Promise<boolean> {
  const runtime = await workplace.runtime(environment.record.spec.runtime);
  await workplace.daemon.leave(workplace.repository, environment.name);
  let asked = true;
  try {
    const labels = labelsOf(workplace, environment.name);
    await removeContainers(runtime, await runtime.list(labels));
    await runtime.sweep(labels);
  } catch (error) {
    if (!options.withoutEngine || !hasCode(error, 'engine-unreachable')) throw error;
    asked = false;
  }
  await workplace.worktrees.remove(environment.name, environment.directories);
  await rm(cacheDirectory(workplace.repository.commonDirectory, environment.name), { recursive: true, force: true });
  return asked;
}

export async function removeContainers(runtime: Runtime, containers: readonly Container[]): Promise<void> {
  for (const container of containers) await runtime.remove(container.id);
}
