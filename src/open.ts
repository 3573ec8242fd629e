/** Joins interfaces to adapters; the only file that knows both. */
import { createHash } from 'node:crypto';
import { readFile, realpath } from 'node:fs/promises';
import { cpus, totalmem } from 'node:os';
import { dirname, join } from 'node:path';
import { openApprovals } from './config/approvals.ts';
import { parseEnvironmentFile } from './config/environment-file.ts';
import { resolveNetwork } from './config/network.ts';
import { askedRuntime, networkLeftOut, resolveSpec } from './config/resolve.ts';
import { loadSettings, type UserSettings } from './config/settings.ts';
import { fingerprintFile, registrationId } from './domain/directories.ts';
import { hostRequestOf } from './domain/host-access.ts';
import { defaultBranchPrefix } from './domain/ref-layout.ts';
import { type HoldRules, machineImage } from './domain/spec.ts';
import { cacheDirectory } from './environment/running-execs.ts';
import type { CheckpointerFor, Report, Workplace } from './environment/workplace.ts';
import { openObjectReader } from './git/checkpoint/object-reader.ts';
import { type CheckpointerRequest, defaultHoldLimits, type HoldLimits, type SecretSearch } from './git/checkpointer.ts';
import { type HostGit, hostGit } from './git/host-git.ts';
import type { Merging } from './git/merging.ts';
import { openRepository } from './git/native/open.ts';
import type { Repository } from './git/repository.ts';
import { openDaemonPort } from './open-daemon.ts';
import { isOnPath, lfsOf } from './open-lfs.ts';
import { openRuntimes, type Runtimes } from './open-runtimes.ts';
import type { Context } from './operations/operation.ts';
import { errnoOf } from './platform/errno.ts';
import type { Surroundings } from './platform/surroundings.ts';

export type Caller = Omit<Context, 'surroundings' | 'workplace' | 'daemon' | 'machine' | 'within' | 'serveClient'>;

export interface OpenedContext extends Context {
  close(): Promise<void>;
}

/** Nothing is opened before an operation asks for it. */
export function openContext(surroundings: Surroundings, caller: Caller): OpenedContext {
  let opened: Promise<Workplace> | undefined;
  let runtimes: Runtimes | undefined;
  const workplace = () => {
    opened ??= openWorkplace(surroundings, caller.program);
    return opened;
  };
  const daemon = async () =>
    openDaemonPort(surroundings, caller.program, await loadSettings(surroundings.configDirectory), openWorkplace);
  return {
    ...caller,
    surroundings,
    workplace,
    daemon,
    async machine() {
      const { identityAnywhere } = await import('./git/native/user.ts');
      const { requireGit } = await import('./git/native/discover.ts');
      runtimes ??= openRuntimes(surroundings);
      const { get } = runtimes;
      return {
        runtime: get,
        daemon: await daemon(),
        requireGit: () => requireGit(surroundings),
        identity: () => identityAnywhere(surroundings),
      };
    },
    within: (other) => openContext(other, caller),
    async serveClient(environment) {
      const { serve } = await import('./mcp/serve.ts');
      const { streams, report, signal, program } = caller;
      if (streams === undefined) throw new TypeError('there are no streams to serve a client on');
      const open = (part: Omit<Caller, 'program'>) => openContext(surroundings, { ...part, program });
      await serve({ scope: { environment }, stdin: streams.stdin, stdout: streams.stdout, report, open, signal });
    },
    async close() {
      // One that failed to open has nothing to release.
      const place = await opened?.catch(() => undefined);
      await place?.close();
      await runtimes?.close();
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
  const reader = openObjectReader(git);
  const runtimes = openRuntimes(surroundings);
  const buildBaseImage = async (report: Report) => {
    const docker = await runtimes.docker();
    const told = ({ message }: { readonly message: string }) => report(message);
    return docker.buildBaseImage({ repository: 'localhost/coppice-base', node: process.execPath, report: told });
  };
  const fingerprints = fingerprintFile(surroundings.dataDirectory, id);
  const request = (wanted: CheckpointerFor) => checkpointerRequest(wanted, { commonDirectory, fingerprints }, settings);
  return {
    surroundings,
    repository,
    merging: mergingWhenNeeded(async () =>
      (await import('./git/merge/merging.ts')).createMerging(surroundings, repository),
    ),
    leaks: whenNeeded(async () => {
      const { openLeakSearch } = await import('./git/leaks/open-leak-search.ts');
      return openLeakSearch({
        git,
        branchPrefix: settings.branchPrefix ?? defaultBranchPrefix,
        cacheOf: (name) => cacheDirectory(commonDirectory, name),
        searchFor: (allow) => secretSearch(settings, allow, fingerprints),
      });
    }),
    worktrees: whenNeeded(async () => {
      const { createWorktrees } = await import('./git/worktree/worktrees.ts');
      const { dataDirectory } = surroundings;
      return createWorktrees({
        git,
        objectFormat,
        repositoryId: id,
        dataDirectory,
        gitDirectory,
        lfs: lfsOf(repository),
      });
    }),
    transport: whenNeeded(async () =>
      (await import('./git/transport/git-over-exec.ts')).gitOverExec({ git, objectFormat }),
    ),
    agentGit: whenNeeded(() => import('./git/agent-head.ts')),
    forges: whenNeeded(async () => (await import('./open-forge.ts')).openForges(git, repository, surroundings)),
    daemon: openDaemonPort(surroundings, program, settings, openWorkplace),
    settings: { branchPrefix: settings.branchPrefix ?? defaultBranchPrefix },
    installation: await installationOf(surroundings),
    now: () => new Date(),
    runtime: (kind) => runtimes.get(kind),
    boundNetwork: (wanted) => resolveNetwork({ flags: undefined, file: wanted, settings: settings.network }),
    async planSpec(flags, bytes, report) {
      const sources = { flags, file: parseEnvironmentFile(bytes), settings };
      const engineAvailable = askedRuntime(sources) === undefined ? await runtimes.engineAnswers() : true;
      const machine = { memory: totalmem(), cpus: cpus().length, engineAvailable };
      const spec = resolveSpec({ ...sources, machine });
      const leftOut = networkLeftOut(sources);
      if (leftOut !== undefined) report(leftOut);
      const runtime = await runtimes.get(spec.runtime);
      const asked = hostRequestOf(sources.file);
      if (spec.image !== machineImage) return { spec, runtime, asked };
      return { spec: { ...spec, image: await buildBaseImage(report) }, runtime, asked };
    },
    checkOf: (bytes) => parseEnvironmentFile(bytes).check,
    hostRequestIn: (bytes) => hostRequestOf(parseEnvironmentFile(bytes)),
    approvals: openApprovals(surroundings.stateDirectory, repository),
    resolveSecret: async (name, reference) =>
      (await import('./config/secrets.ts')).resolveSecret(name, reference, surroundings),
    rememberSecrets: async (values) =>
      (await import('./config/fingerprint-file.ts')).rememberSecrets(fingerprints, values),
    hostMask: async () => (await import('./config/fingerprint-file.ts')).hostMask(fingerprints),
    buildBaseImage,
    async sieve(hold) {
      const { sieveFor } = await import('./git/leaks/sieve.ts');
      return sieveFor(holdLimits(settings, hold), secretSearch(settings, hold.allow, fingerprints));
    },
    async openCheckpointer(wanted) {
      const { openCheckpointer } = await import('./git/checkpoint/open-checkpointer.ts');
      const tools = { ...(await checkpointerTools(git, repository, surroundings)), reader };
      if (wanted.submodule === undefined) return openCheckpointer(request(wanted), tools);
      const { openSubmoduleCheckpointer } = await import('./git/checkpoint/open-submodule.ts');
      return openSubmoduleCheckpointer(request(wanted), tools, wanted.submodule);
    },
    holdKey(wanted) {
      const { limits, secrets } = request(wanted);
      return createHash('sha256')
        .update(JSON.stringify([limits, secrets]))
        .digest('hex')
        .slice(0, 16);
    },
    async seedStatCache(wanted) {
      const { seedStatCache } = await import('./git/checkpoint/seed.ts');
      await seedStatCache(request(wanted), { git, objectFormat });
    },
    async housekeep() {
      const { rollUpPacks } = await import('./git/checkpoint/roll-up.ts');
      await rollUpPacks(git);
    },
    readTreeFile: async (tree, path) => (await import('./platform/read-below.ts')).readFileBelow(tree, path),
    async close() {
      await runtimes.close();
      await Promise.all([reader.close(), repository.close()]);
    },
  };
}

type Asynchronous = { readonly [name: string]: (...args: never[]) => Promise<unknown> };

/** The same for merging, of which one method streams. */
function mergingWhenNeeded(load: () => Promise<Merging>): Merging {
  let loaded: Promise<Merging> | undefined;
  const once = () => {
    loaded ??= load();
    return loaded;
  };
  const mergeAll: Merging['mergeAll'] = async function* (pairs, options) {
    yield* (await once()).mergeAll(pairs, options);
  };
  const others = whenNeeded<Omit<Merging, 'mergeAll'>>(once);
  return new Proxy({} as Merging, {
    get: (_, name) => (name === 'mergeAll' ? mergeAll : Reflect.get(others, name)),
  });
}

/** An adapter that is loaded by the first call of any of its methods: a command shall not pay for what it does not use. */
function whenNeeded<Adapter extends object>(load: () => Promise<Adapter>): Adapter {
  let loaded: Promise<Adapter> | undefined;
  const call = (name: string | symbol) => {
    return async (...args: never[]) => {
      loaded ??= load();
      return ((await loaded) as Asynchronous)[name as string]?.(...args);
    };
  };
  return new Proxy({} as Adapter, { get: (_, name) => (name === 'then' ? undefined : call(name)) });
}

function checkpointerRequest(
  wanted: CheckpointerFor,
  { commonDirectory, fingerprints }: { readonly commonDirectory: string; readonly fingerprints: string },
  settings: UserSettings,
): CheckpointerRequest {
  return {
    name: wanted.name,
    tree: wanted.directories.tree,
    branch: wanted.branch,
    author: wanted.author,
    cache: join(cacheDirectory(commonDirectory, wanted.name), 'stat-cache'),
    registration: join(commonDirectory, 'worktrees', registrationId(wanted.name)),
    limits: holdLimits(settings, wanted.hold),
    secrets: secretSearch(settings, wanted.hold.allow, fingerprints),
  };
}

/** The user's settings go before what the repository says. */
function holdLimits({ hold }: UserSettings, repository: HoldRules): HoldLimits {
  const given = { ...definedOf(repository), ...definedOf(hold ?? {}) };
  const { fileBytes, checkpointBytes, checkpointFiles, lfsBytes } = { ...defaultHoldLimits, ...given };
  return { fileBytes, checkpointBytes, checkpointFiles, lfsBytes };
}

function secretSearch({ hold }: UserSettings, allow: readonly string[], fingerprints: string): SecretSearch {
  return { patterns: hold?.secrets ?? 'on', allow: [...(hold?.allow ?? []), ...allow], fingerprints };
}

function definedOf<Shape extends object>(given: Shape): { [Key in keyof Shape]: NonNullable<Shape[Key]> } {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as {
    [Key in keyof Shape]: NonNullable<Shape[Key]>;
  };
}

async function checkpointerTools(git: HostGit, repository: Repository, surroundings: Surroundings) {
  const { objectFormat } = repository;
  const [userExcludes, hasLfs] = await Promise.all([
    readUserExcludes(repository, surroundings),
    isOnPath(surroundings.env.PATH ?? '', 'git-lfs'),
  ]);
  return {
    git,
    objectFormat,
    ...(userExcludes === undefined ? {} : { userExcludes }),
    ...(hasLfs ? { lfs: lfsOf(repository) } : {}),
  };
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
