/** Joins interfaces to adapters; the only file that knows both. */
import { createHash } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { parseEnvironmentFile } from './config/environment-file.ts';
import { askedRuntime, resolveSpec } from './config/resolve.ts';
import { loadSettings, type UserSettings } from './config/settings.ts';
import { registrationId } from './domain/directories.ts';
import { defaultBranchPrefix } from './domain/ref-layout.ts';
import { cacheDirectory } from './environment/running-execs.ts';
import type { CheckpointerFor, Workplace } from './environment/workplace.ts';
import { operationInProgress, readHeadHint } from './git/agent-head.ts';
import { openCheckpointer } from './git/checkpoint/open-checkpointer.ts';
import { rollUpPacks } from './git/checkpoint/roll-up.ts';
import { seedStatCache } from './git/checkpoint/seed.ts';
import { type CheckpointerRequest, defaultHoldLimits } from './git/checkpointer.ts';
import { type HostGit, hostGit } from './git/host-git.ts';
import { createMerging } from './git/merge/merging.ts';
import { openRepository } from './git/native/open.ts';
import type { Repository } from './git/repository.ts';
import { gitOverExec } from './git/transport/git-over-exec.ts';
import { createWorktrees } from './git/worktree/worktrees.ts';
import { openDaemonPort } from './open-daemon.ts';
import { openRuntimes } from './open-runtimes.ts';
import type { Context } from './operations/operation.ts';
import { errnoOf } from './platform/errno.ts';
import { readFileBelow } from './platform/read-below.ts';
import type { Surroundings } from './platform/surroundings.ts';

export type Caller = Omit<Context, 'surroundings' | 'workplace' | 'daemon' | 'within'>;

export interface OpenedContext extends Context {
  close(): Promise<void>;
}

/** Nothing is opened before an operation asks for it. */
export function openContext(surroundings: Surroundings, caller: Caller): OpenedContext {
  let opened: Promise<Workplace> | undefined;
  const workplace = () => {
    opened ??= openWorkplace(surroundings, caller.program);
    return opened;
  };
  return {
    ...caller,
    surroundings,
    workplace,
    daemon: async () =>
      openDaemonPort(surroundings, caller.program, await loadSettings(surroundings.configDirectory), openWorkplace),
    within: (other) => openContext(other, caller),
    async close() {
      // One that failed to open has nothing to release.
      const place = await opened?.catch(() => undefined);
      await place?.close();
    },
  };
}

/** `program`: what starts this program again, for the daemon; empty where the daemon must not be started. */
export async function openWorkplace(surroundings: Surroundings, program: readonly string[]): Promise<Workplace> {
  const [repository, settings] = await Promise.all([
    openRepository(surroundings, surroundings.cwd),
    loadSettings(surroundings.configDirectory),
  ]);
  const { commonDirectory, objectFormat, id, gitDirectory } = repository;
  const git = hostGit(commonDirectory, surroundings);
  const runtimes = openRuntimes(surroundings);
  const request = (wanted: CheckpointerFor) => checkpointerRequest(wanted, commonDirectory, settings);
  return {
    surroundings,
    repository,
    merging: createMerging(surroundings, repository),
    worktrees: createWorktrees({
      git,
      objectFormat,
      repositoryId: id,
      dataDirectory: surroundings.dataDirectory,
      gitDirectory,
    }),
    transport: gitOverExec({ git, objectFormat }),
    agentGit: { readHeadHint, operationInProgress },
    daemon: openDaemonPort(surroundings, program, settings, openWorkplace),
    settings: { branchPrefix: settings.branchPrefix ?? defaultBranchPrefix },
    installation: await installationOf(surroundings),
    now: () => new Date(),
    runtime: (kind) => runtimes.get(kind),
    async planSpec(flags, bytes) {
      const sources = { flags, file: parseEnvironmentFile(bytes), settings };
      const engineAvailable = askedRuntime(sources) === undefined ? await runtimes.engineAnswers() : true;
      const machine = { memory: totalmem(), cpus: cpus().length, engineAvailable };
      const spec = resolveSpec({ ...sources, machine });
      return { spec, runtime: await runtimes.get(spec.runtime) };
    },
    async buildBaseImage(report) {
      const docker = await runtimes.docker();
      return docker.buildBaseImage({
        repository: 'localhost/coppice-base',
        node: process.execPath,
        report: ({ message }) => report(message),
      });
    },
    openCheckpointer: async (wanted) =>
      openCheckpointer(request(wanted), await checkpointerTools(git, repository, surroundings)),
    seedStatCache: async (wanted) => seedStatCache(request(wanted), { git, objectFormat }),
    housekeep: async () => void (await rollUpPacks(git)),
    readTreeFile: async (tree, path) => readFileBelow(tree, path),
    async close() {
      await runtimes.close();
      await repository.close();
    },
  };
}

function checkpointerRequest(
  wanted: CheckpointerFor,
  commonDirectory: string,
  settings: UserSettings,
): CheckpointerRequest {
  const { fileBytes, checkpointBytes, checkpointFiles } = { ...defaultHoldLimits, ...definedOf(settings.hold ?? {}) };
  return {
    name: wanted.name,
    tree: wanted.directories.tree,
    branch: wanted.branch,
    author: wanted.author,
    cache: join(cacheDirectory(commonDirectory, wanted.name), 'stat-cache'),
    registration: join(commonDirectory, 'worktrees', registrationId(wanted.name)),
    limits: { fileBytes, checkpointBytes, checkpointFiles },
  };
}

function definedOf<Shape extends object>(given: Shape): { [Key in keyof Shape]: NonNullable<Shape[Key]> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [Key in keyof Shape]: NonNullable<Shape[Key]>;
  };
}

async function checkpointerTools(git: HostGit, repository: Repository, surroundings: Surroundings) {
  const userExcludes = await readUserExcludes(repository, surroundings);
  const { objectFormat } = repository;
  return userExcludes === undefined ? { git, objectFormat } : { git, objectFormat, userExcludes };
}

/** core.excludesFile, by default `$XDG_CONFIG_HOME/git/ignore` (gitignore(5)). */
async function readUserExcludes(repository: Repository, surroundings: Surroundings): Promise<string | undefined> {
  const configured = await repository.config('core.excludesFile');
  const path =
    configured?.replace(/^~(?=\/)/, surroundings.home) ?? join(dirname(surroundings.configDirectory), 'git/ignore');
  try {
    return await readFile(path, 'latin1');
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

async function installationOf(surroundings: Surroundings): Promise<string> {
  const real = await realpath(surroundings.dataDirectory).catch(() => surroundings.dataDirectory);
  return createHash('sha256').update(`${surroundings.hostname}\0${real}`).digest('hex').slice(0, 16);
}
