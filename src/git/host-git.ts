/**
 * Runs git on the host, in one of two ways: as coppice (explicit directory, our own configuration, no hook, no driver,
 * clean environment), which is how everything that an agent had a hand in is handled; or as the user in their own
 * checkout (their configuration, still without hooks and GIT_* of the caller), for identity, signing and delivery.
 */
import { CoppiceError } from '../domain/error.ts';
import { type Finished, run, type Started, start } from '../platform/process.ts';
import { childEnvironment, type Surroundings } from '../platform/surroundings.ts';
import { driverSettings } from './drivers.ts';

export interface GitCall {
  readonly input?: Uint8Array | string;
  /** Another git directory than the common one, e.g. a worktree's registration. As the user: default is what `directory` leads to. */
  readonly gitDirectory?: string;
  readonly workTree?: string;
  /** Where git runs. Default: the git directory itself (with a work tree: `/`), so that no checkout's attributes are in reach. */
  readonly cwd?: string;
  /** Variables on top, e.g. GIT_INDEX_FILE, GIT_OBJECT_DIRECTORY. */
  readonly env?: Readonly<Record<string, string>>;
  /** Configuration on top: `key=value`. */
  readonly config?: readonly string[];
  /** Exit statuses that are answers. Default: 0. */
  readonly allow?: readonly number[];
  readonly timeout?: number;
  readonly signal?: AbortSignal;
  /** Bytes of stdout kept before git is killed. Default 1 GiB. */
  readonly maxOutput?: number;
  /** Survives a Ctrl-C typed at us: for what must not end half-way. */
  readonly detached?: boolean;
}

export interface HostGit {
  readonly commonDirectory: string;
  /** Throws `git-failed` (kind `failed`) for a status that is not allowed. */
  run(args: readonly string[], call?: GitCall): Promise<Finished>;
  /** stdout as text without its last newline. */
  text(args: readonly string[], call?: GitCall): Promise<string>;
  start(args: readonly string[], call?: GitCall & { readonly extraPipes?: number }): Promise<Started>;
  /** As the user, in `directory`. */
  runAsUser(directory: string, args: readonly string[], call?: GitCall): Promise<Finished>;
}

/** No hook, monitor, pager, prompt, maintenance, submodule or transport of anybody's choosing. */
const guards = [
  'core.hooksPath=/dev/null',
  'core.fsmonitor=false',
  'core.untrackedCache=false',
  'core.attributesFile=/dev/null',
  'core.quotePath=false',
  // Beyond it a file is binary to a diff, which otherwise takes some fifty times its size; and it is streamed, not held.
  'core.bigFileThreshold=20m',
  'diff.ignoreSubmodules=all',
  'submodule.recurse=false',
  'protocol.allow=never',
  'protocol.file.allow=always',
  'transfer.fsckObjects=true',
  'commit.gpgSign=false',
  'gc.auto=0',
  'maintenance.auto=false',
  'log.showSignature=false',
];

const userGuards = ['core.hooksPath=/dev/null', 'gc.auto=0', 'maintenance.auto=false', 'core.fsmonitor=false'];

/** Plumbing that looks at no file and merges nothing, so that no driver can come into it: it need not ask for them. */
const driverless = new Set([
  'cat-file',
  'for-each-ref',
  'ls-tree',
  'merge-base',
  'rev-list',
  'rev-parse',
  'update-ref',
]);

/**
 * Bytes git may allocate where it works on content an agent may have chosen: a few kilobytes of deltas, or of trees that
 * name each other, unfold to any size. Enough for the trees of the largest repositories there are.
 */
export const gitMemory = 2 ** 31;

/** These copy the history of the user's own repository: what they need grows with it, and no agent can make it grow. */
const ownHistory = new Set(['pack-objects', 'repack', 'multi-pack-index']);

function memoryFor(args: readonly string[]): { readonly memory?: number } {
  const command = args[0] ?? '';
  return driverless.has(command) || ownHistory.has(command) ? {} : { memory: gitMemory };
}

export function hostGit(commonDirectory: string, surroundings: Surroundings): HostGit {
  const env = hostEnvironment(surroundings);
  const disarmed = driverSettings(commonDirectory, env);
  const argumentsOf = (args: readonly string[], call: GitCall) => [
    ...settings([...guards, ...(call.config ?? [])]),
    ...place({ ...call, gitDirectory: call.gitDirectory ?? commonDirectory }),
    ...args,
  ];
  // Not below a work tree, where git would take the paths it is given for relative ones.
  const cwdOf = (call: GitCall) =>
    call.cwd ?? (call.workTree === undefined ? (call.gitDirectory ?? commonDirectory) : '/');
  const environmentOf = async (args: readonly string[], call: GitCall) => ({
    ...env,
    ...(driverless.has(args[0] ?? '') ? {} : await disarmed()),
    ...call.env,
  });
  const runOurs = async (args: readonly string[], call: GitCall = {}) => {
    const options = {
      ...optionsOf(call),
      ...memoryFor(args),
      cwd: cwdOf(call),
      env: await environmentOf(args, call),
    };
    return checked(await run('git', argumentsOf(args, call), options), args, call);
  };
  return {
    commonDirectory,
    run: runOurs,
    text: async (args, call) => (await runOurs(args, call)).stdout.toString('utf8').replace(/\n$/, ''),
    start: async (args, call = {}) =>
      start('git', argumentsOf(args, call), {
        ...memoryFor(args),
        env: await environmentOf(args, call),
        cwd: cwdOf(call),
        extraPipes: call.extraPipes ?? 0,
        detached: true,
      }),
    runAsUser: (directory, args, call) => runGitAsUser(surroundings, directory, args, call),
  };
}

/** git as the user has it, in `directory`, which may be anywhere: how a repository is discovered. No hook runs. */
export async function runGitAsUser(
  surroundings: Surroundings,
  directory: string,
  args: readonly string[],
  call: GitCall = {},
): Promise<Finished> {
  const full = [...settings([...userGuards, ...(call.config ?? [])]), ...place(call), ...args];
  const env = { ...childEnvironment(surroundings), GIT_TERMINAL_PROMPT: '0', GIT_PAGER: 'cat', ...call.env };
  return checked(await run('git', full, { ...optionsOf(call), cwd: call.cwd ?? directory, env }), args, call);
}

function hostEnvironment(surroundings: Surroundings): Readonly<Record<string, string>> {
  return {
    PATH: surroundings.env.PATH ?? '/usr/local/bin:/usr/bin:/bin',
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    // Without --work-tree there is none: the directory git happens to run in is not one.
    GIT_IMPLICIT_WORK_TREE: '0',
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_PAGER: 'cat',
    GIT_EDITOR: 'false',
  };
}

function settings(pairs: readonly string[]): readonly string[] {
  return pairs.flatMap((pair) => ['-c', pair]);
}

function place(call: GitCall): readonly string[] {
  return [
    ...(call.gitDirectory === undefined ? [] : [`--git-dir=${call.gitDirectory}`]),
    ...(call.workTree === undefined ? [] : [`--work-tree=${call.workTree}`]),
  ];
}

function optionsOf(call: GitCall) {
  return {
    ...(call.input === undefined ? {} : { input: call.input }),
    ...(call.timeout === undefined ? {} : { timeout: call.timeout }),
    ...(call.signal === undefined ? {} : { signal: call.signal }),
    ...(call.maxOutput === undefined ? {} : { maxOutput: call.maxOutput }),
    ...(call.detached === undefined ? {} : { detached: call.detached }),
  };
}

function checked(finished: Finished, args: readonly string[], call: GitCall): Finished {
  if ((call.allow ?? [0]).includes(finished.status)) return finished;
  const said = finished.stderr.trim().split('\n').slice(-3).join(' ');
  throw new CoppiceError('failed', 'git-failed', `git ${args[0] ?? ''} ended with status ${finished.status}: ${said}`, {
    hint: 'Run `coppice doctor` to check the repository.',
    data: { arguments: args, status: finished.status, stderr: finished.stderr.slice(-4000) },
  });
}
