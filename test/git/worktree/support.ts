/** A repository with the worktree adapter joined to it, and an environment's directories. */
import { execFileSync } from 'node:child_process';
import { cpSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  baseStoreDirectory,
  directoriesOf,
  type EnvironmentDirectories,
  repositoryIdOf,
} from '../../../src/domain/directories.ts';
import { type EnvironmentName, parseEnvironmentName } from '../../../src/domain/environment-name.ts';
import { type Oid, parseOid } from '../../../src/domain/oid.ts';
import { parseRefName, type RefName } from '../../../src/domain/ref-name.ts';
import { type HostGit, hostGit } from '../../../src/git/host-git.ts';
import { openLfsStore } from '../../../src/git/lfs/store.ts';
import { createWorktrees } from '../../../src/git/worktree/worktrees.ts';
import type { InsidePaths, OwnGitRequest, Worktrees } from '../../../src/git/worktree.ts';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import { makeRepository, type TestRepository, type TestRepositoryOptions } from '../../support/repository.ts';

export interface Setup {
  readonly repository: TestRepository;
  readonly common: string;
  readonly git: HostGit;
  readonly worktrees: Worktrees;
  readonly dataDirectory: string;
  readonly store: string;
  /** Another adapter, as another process would have, seen from another git directory. */
  adapter(gitDirectory: string): Worktrees;
}

export interface Place {
  readonly name: EnvironmentName;
  readonly branch: RefName;
  readonly directories: EnvironmentDirectories;
  readonly tip: Oid;
  /** Host paths: what a runtime without mounts would use. */
  readonly inside: InsidePaths;
}

export function setUp(options: TestRepositoryOptions & { readonly existing?: TestRepository } = {}): Setup {
  const repository = options.existing ?? makeRepository(options);
  const common = repository.git('rev-parse', '--path-format=absolute', '--git-common-dir');
  const surroundings = surroundingsOf(repository.path, repository.env);
  const git = hostGit(common, surroundings);
  const repositoryId = repositoryIdOf(common);
  const { dataDirectory } = surroundings;
  const objectFormat = repository.git('rev-parse', '--show-object-format') === 'sha256' ? 'sha256' : 'sha1';
  const lfs = openLfsStore(async () => join(common, 'lfs'));
  const adapter = (gitDirectory: string) =>
    createWorktrees({ git, objectFormat, repositoryId, dataDirectory, gitDirectory, lfs });
  const store = baseStoreDirectory(dataDirectory, repositoryId);
  return { repository, common, git, worktrees: adapter(common), dataDirectory, store, adapter };
}

/** The branch of a new environment, at HEAD, and where it will be. */
export function place(setup: Setup, text = 'one', revision = 'HEAD'): Place {
  const name = parseEnvironmentName(text);
  const branch = parseRefName(`refs/heads/coppice/${name}`);
  const tip = parseOid(setup.repository.git('rev-parse', revision));
  setup.repository.git('update-ref', branch, tip);
  const directories = directoriesOf(setup.dataDirectory, repositoryIdOf(setup.common), name);
  return {
    name,
    branch,
    tip,
    directories,
    inside: { tree: directories.tree, git: directories.git, base: setup.store },
  };
}

export const author = { name: 'Agnes "Agent" \\ Ä', email: 'agnes@example.org' };

export function ownGitOf(at: Place, changes: Partial<OwnGitRequest> = {}): OwnGitRequest {
  return { ...at, head: at.tip, author, linkTree: true, ...changes };
}

/** Everything an environment needs to have git inside. */
export async function makeEnvironment(setup: Setup, text = 'one'): Promise<Place> {
  const at = place(setup, text);
  await setup.worktrees.create(at);
  await setup.worktrees.shareBase(at.tip);
  await setup.worktrees.createOwnGit(ownGitOf(at));
  return at;
}

/** Git as the agent has it: nothing of the host's configuration. */
export function agentGit(setup: Setup, at: Place, ...args: readonly string[]): string {
  const env = {
    PATH: setup.repository.env.PATH ?? '',
    HOME: '/nonexistent',
    LC_ALL: 'C.UTF-8',
    GIT_CONFIG_NOSYSTEM: '1',
  };
  return execFileSync('git', args, {
    cwd: at.directories.tree,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  }).replace(/\n$/, '');
}

/** A copy of the environment as it is now, for a test that wants to compare. */
export function copyOf(at: Place, to: string): void {
  cpSync(at.directories.root, to, { recursive: true, verbatimSymlinks: true });
}

export function contentOf(...path: readonly string[]): string {
  return readFileSync(join(...path), 'utf8');
}
