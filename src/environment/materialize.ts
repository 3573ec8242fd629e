/** Makes an environment's directories and container from its references: after create, restore, or a colleague's fetch. */
import { existsSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { repositoryDirectory, repositoryFile } from '../domain/directories.ts';
import type { Container, Runtime } from '../runtime/runtime.ts';
import { containerRequest, labelsOf, layoutOf } from './container.ts';
import { checkpointerRequest, type Environment } from './environment.ts';
import { noteHint } from './import-commits.ts';
import { cacheDirectory } from './running-execs.ts';
import type { Workplace } from './workplace.ts';

/** What took how long, in milliseconds. */
export interface Timings {
  readonly files: number;
  readonly git: number;
  readonly container: number;
  readonly total: number;
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
 * need each other. The caller rolls back when it throws.
 */
export async function materialize(workplace: Workplace, environment: Environment, runtime: Runtime): Promise<Timings> {
  const begun = performance.now();
  const since = () => performance.now() - begun;
  const { directories, refs, at, name } = environment;
  const layout = await layoutOf(workplace, environment, runtime);
  const sharing = workplace.worktrees.shareBase(at.base);
  // Awaited below; a failure of the checkout must not leave this one unhandled.
  sharing.catch(() => undefined);
  await mkdir(directories.root, { recursive: true, mode: 0o700 });
  await noteRepository(workplace);
  await workplace.worktrees.create({ name, directories, branch: refs.branch, tip: at.tip });
  const files = since();
  // Nothing runs inside before this function returns, so nobody can write meanwhile.
  const seeding = workplace.seedStatCache(checkpointerRequest(environment));
  seeding.catch(() => undefined);
  await mkdir(directories.home, { recursive: true, mode: 0o700 });
  await sharing;
  await workplace.worktrees.createOwnGit({
    directories,
    branch: refs.branch,
    head: at.head,
    inside: { tree: layout.tree, git: layout.git, base: layout.base },
    author: environment.record.author,
    linkTree: !layout.mountsGitFile,
  });
  await noteHint(workplace, environment);
  await writeFile(markerOf(environment), '');
  const git = since();
  const container = await runtime.create(await containerRequest(workplace, environment, runtime));
  await runtime.start(container.id);
  await seeding;
  const total = since();
  return { files, git: git - files, container: total - git, total };
}

/** So that the daemon finds the repository again from the environments' directories. Safe to delete. */
async function noteRepository({ surroundings, repository }: Workplace): Promise<void> {
  const directory = repositoryDirectory(surroundings.dataDirectory, repository.id);
  await writeFile(join(directory, repositoryFile), repository.commonDirectory);
}

/** Takes down everything `materialize` may have made. Repeatable; references are the caller's. */
export async function dismantle(workplace: Workplace, environment: Environment): Promise<void> {
  const runtime = await workplace.runtime(environment.record.spec.runtime);
  await workplace.daemon.leave(workplace.repository, environment.name);
  await removeContainers(runtime, await runtime.list(labelsOf(workplace, environment.name)));
  await workplace.worktrees.remove(environment.name, environment.directories);
  await rm(cacheDirectory(workplace.repository.commonDirectory, environment.name), { recursive: true, force: true });
}

export async function removeContainers(runtime: Runtime, containers: readonly Container[]): Promise<void> {
  for (const container of containers) await runtime.remove(container.id);
}
