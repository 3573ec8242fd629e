/**
 * Runs git on the host, in one of two ways: as coppice (explicit directory, our own configuration, no hook, no driver,
 * clean environment), which is how everything that an agent had a hand in is handled; or as the user in their own
 * checkout (their configuration, still without hooks and GIT_* of the caller), for identity, signing and delivery.
 */
import { CoppiceError } from '../domain/error.ts';
import { type Finished, run, type Started, start } from '../platform/process.ts';
import { childEnvironment, type Surroundings } from '../platform/surroundings.ts';

export interface GitCall {
  readonly input?: Uint8Array | string;
  /** Another git directory than the common one, e.g. a worktree's registration. */
  readonly gitDirectory?: string;
  readonly workTree?: string;
  /** Variables on top, e.g. GIT_INDEX_FILE, GIT_OBJECT_DIRECTORY. */
  readonly env?: Readonly<Record<string, string>>;
  /** Configuration on top: `key=value`. */
  readonly config?: readonly string[];
  /** Exit statuses that are answers. Default: 0. */
  readonly allow?: readonly number[];
  readonly timeout?: number;
  readonly signal?: AbortSignal;
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

export function hostGit(commonDirectory: string, surroundings: Surroundings): HostGit {
  const path = surroundings.env.PATH ?? '/usr/local/bin:/usr/bin:/bin';
  const env = {
    PATH: path,
    HOME: '/nonexistent',
    LC_ALL: 'C',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_NO_LAZY_FETCH: '1',
    GIT_NO_REPLACE_OBJECTS: '1',
    GIT_OPTIONAL_LOCKS: '0',
    GIT_TERMINAL_PROMPT: '0',
    GIT_PAGER: 'cat',
    GIT_EDITOR: 'false',
  };
  let drivers: Promise<readonly string[]> | undefined;
  const disarmed = () => {
    drivers ??= disarmDrivers(commonDirectory, env);
    return drivers;
  };
  const argumentsOf = async (args: readonly string[], call: GitCall) => [
    ...[...guards, ...(await disarmed()), ...(call.config ?? [])].flatMap((setting) => ['-c', setting]),
    `--git-dir=${call.gitDirectory ?? commonDirectory}`,
    ...(call.workTree === undefined ? [] : [`--work-tree=${call.workTree}`]),
    ...args,
  ];
  const runOurs = async (args: readonly string[], call: GitCall = {}) =>
    checked(
      await run('git', await argumentsOf(args, call), { ...optionsOf(call), env: { ...env, ...call.env } }),
      args,
      call,
    );
  return {
    commonDirectory,
    run: runOurs,
    text: async (args, call) => (await runOurs(args, call)).stdout.toString('utf8').replace(/\n$/, ''),
    start: async (args, call = {}) =>
      start('git', await argumentsOf(args, call), {
        env: { ...env, ...call.env },
        extraPipes: call.extraPipes ?? 0,
        detached: true,
      }),
    runAsUser: async (directory, args, call = {}) => {
      const full = [...userGuards, ...(call.config ?? [])].flatMap((setting) => ['-c', setting]).concat(args);
      const userEnv = { ...childEnvironment(surroundings), GIT_TERMINAL_PROMPT: '0', GIT_PAGER: 'cat', ...call.env };
      return checked(await run('git', full, { ...optionsOf(call), cwd: directory, env: userEnv }), args, call);
    },
  };
}

function optionsOf(call: GitCall) {
  return {
    ...(call.input === undefined ? {} : { input: call.input }),
    ...(call.timeout === undefined ? {} : { timeout: call.timeout }),
    ...(call.signal === undefined ? {} : { signal: call.signal }),
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

/**
 * Filters, merge drivers and diff drivers that the repository's own configuration defines, each set to nothing. Which of
 * them apply to a file is chosen by attributes, and those an agent can write.
 */
async function disarmDrivers(
  commonDirectory: string,
  env: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
  const pattern = '^(filter|merge|diff)\\..*\\.(clean|smudge|process|required|driver|command|textconv)$';
  const args = [`--git-dir=${commonDirectory}`, 'config', '--null', '--name-only', '--get-regexp', pattern];
  const { stdout } = await run('git', args, { env });
  const keys = stdout.toString('utf8').split('\0');
  return keys.filter((key) => key !== '' && !key.includes('=')).map((key) => `${key}=${harmless(key)}`);
}

/** git's own text merge, for drivers: an empty command would fail the merge. */
const plainMerge = 'git merge-file -L ours -L base -L theirs --marker-size=%L %A %O %B';

function harmless(key: string): string {
  if (key.endsWith('.required')) return 'false';
  return key.startsWith('merge.') && key.endsWith('.driver') ? plainMerge : '';
}
