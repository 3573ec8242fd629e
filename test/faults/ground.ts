/** Environments to do harm to: a real repository, real files, the daemon in this process or in its own; and what must hold after. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type Clock, systemClock } from '../../src/daemon/clock.ts';
import type { DaemonEvent } from '../../src/daemon/events.ts';
import type { EnvironmentStatus } from '../../src/daemon/status.ts';
import { type Supervisor, supervise } from '../../src/daemon/supervisor.ts';
import { openWorkplace } from '../../src/open.ts';
import { loadWatched } from '../../src/open-watched.ts';
import { surroundingsOf } from '../../src/platform/surroundings.ts';
import { chooseWatchers, type Watchers } from '../../src/watch/choose.ts';
import { type Cli, coppiceIn, entry } from '../support/coppice.ts';
import { eventually } from '../support/eventually.ts';
import { type FileContent, makeRepository, type TestRepository } from '../support/repository.ts';

export interface Ground {
  readonly repository: TestRepository;
  readonly cli: Cli;
  /** The repository's git directory. */
  readonly common: string;
  /** The worktree of an environment. */
  tree(name: string): string;
}

export interface GroundOptions {
  readonly names?: readonly string[];
  readonly files?: Readonly<Record<string, FileContent>>;
  readonly settings?: Readonly<Record<string, unknown>>;
}

/** Environments that nobody watches yet. */
export async function makeGround({ names = ['one'], files, settings = {} }: GroundOptions = {}): Promise<Ground> {
  const repository = makeRepository({ files: files ?? { 'a.txt': 'a\n', '.gitignore': 'ignored/\n' } });
  const cli = coppiceIn(repository, { settings });
  const trees = new Map<string, string>();
  onTestFinished(async () => {
    for (const name of trees.keys()) await cli.run(['remove', '--force', name]);
  });
  for (const name of names) {
    const made = await cli.json<{ environments: { worktree: string }[] }>(['create', name, '--runtime', 'sandbox']);
    trees.set(name, made.environments[0]?.worktree ?? '');
  }
  return { repository, cli, common: join(repository.path, '.git'), tree: (name) => trees.get(name) ?? '' };
}

export interface Watching {
  readonly supervisor: Supervisor;
  readonly events: DaemonEvent[];
  status(name: string): EnvironmentStatus;
  /** Resolves when the environment has been compared with its branch for the first time. */
  ready(name: string): Promise<void>;
}

/** The daemon's supervisor over real environments, in this process; let go of after the test. */
export async function watch(
  ground: Ground,
  { watchers = chooseWatchers(process.platform), clock = systemClock }: { watchers?: Watchers; clock?: Clock } = {},
): Promise<Watching> {
  const events: DaemonEvent[] = [];
  const supervisor = supervise({ clock, watchers, emit: (event) => void events.push(event) });
  onTestFinished(() => supervisor.close(60_000));
  const surroundings = surroundingsOf(ground.repository.path, ground.cli.env);
  const load = loadWatched(surroundings, openWorkplace, async () => [ground.common]);
  await supervisor.update(await load({ dataDirectories: [surroundings.dataDirectory], commonDirectories: [] }));
  const status = (name: string) => {
    const found = supervisor.status().find((each) => each.name === name);
    if (found === undefined) throw new Error(`${name} is not watched`);
    return found;
  };
  return {
    supervisor,
    events,
    status,
    ready: (name) =>
      eventually(
        () => status(name).scanMilliseconds !== null,
        () => JSON.stringify(status(name)),
      ),
  };
}

export interface DaemonProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly exited: Promise<void>;
  kill(): Promise<void>;
}

/** `coppice daemon run`, with a runtime directory of its own; killed after the test. */
export function startDaemon(ground: Ground, runtime = 'run'): DaemonProcess {
  const directory = join(ground.repository.directory, runtime);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const child = spawn(process.execPath, [entry, 'daemon', 'run'], {
    cwd: '/',
    env: { ...ground.cli.env, XDG_RUNTIME_DIR: directory },
    stdio: 'ignore',
  });
  const exited = new Promise<void>((resolve) => child.on('close', () => resolve()));
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  onTestFinished(kill);
  return { child, pid: child.pid ?? 0, exited, kill };
}

export function tipOf({ repository }: Ground, name: string): string {
  return repository.git('rev-parse', `refs/heads/coppice/${name}`);
}

/** What native git makes of the files now: a private index, and objects that go elsewhere. */
export function nativeTree(ground: Ground, name: string, without: readonly string[] = []): string {
  const scratch = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'coppice-native-'));
  try {
    mkdirSync(join(scratch, 'objects'));
    const git = (args: readonly string[], input = '') =>
      execFileSync('git', [`--git-dir=${ground.common}`, `--work-tree=${ground.tree(name)}`, ...args], {
        cwd: ground.tree(name),
        env: {
          ...ground.repository.env,
          GIT_INDEX_FILE: join(scratch, 'index'),
          GIT_OBJECT_DIRECTORY: join(scratch, 'objects'),
          GIT_ALTERNATE_OBJECT_DIRECTORIES: join(ground.common, 'objects'),
        },
        input,
        encoding: 'utf8',
        maxBuffer: 2 ** 28,
        stdio: ['pipe', 'pipe', 'pipe'],
      }).trim();
    git(['read-tree', `refs/heads/coppice/${name}`]);
    git(['-c', 'core.bigFileThreshold=1', '-c', 'core.looseCompression=0', 'add', '-A']);
    if (without.length > 0) git(['update-index', '--force-remove', '-z', '--stdin'], without.join('\0'));
    return git(['write-tree']);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** The tip becomes what native git makes of the files. Nobody writes meanwhile. How soon, `npm run bench` says. */
export async function expectSaved(ground: Ground, name: string): Promise<void> {
  const { repository } = ground;
  const wanted = nativeTree(ground, name);
  const tree = () => {
    try {
      return repository.git('rev-parse', `refs/heads/coppice/${name}^{tree}`);
    } catch (error) {
      if (error instanceof Error) return error.message;
      throw error;
    }
  };
  await eventually(
    () => tree() === wanted,
    () => `${name}: the tip has ${tree()}, its files are ${wanted}\n${lastWords(ground)}`,
  );
}

/** What daemons in processes of their own said, and locks that are there. */
function lastWords({ repository, common }: Ground): string {
  const log = join(repository.home, '.local/state/coppice/daemon.log');
  const locks = readdirSync(common, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.lock'));
  return `${existsSync(log) ? readFileSync(log, 'utf8').slice(-3_000) : ''}\nlocks: ${locks.join(' ')}`;
}

/** Every commit that the branch ever pointed at, by its reflog. */
export function historyOf(ground: Ground, name: string): readonly string[] {
  const log = readFileSync(join(ground.common, 'logs/refs/heads/coppice', name), 'latin1');
  return [...new Set(log.split('\n').flatMap((line) => (line === '' ? [] : [line.split(' ')[1] ?? ''])))];
}

/** The repository is sound, and all that ever was a tip is reachable without reflogs. */
export function expectNothingLost(ground: Ground, name: string, tips: readonly string[] = []): void {
  const { repository } = ground;
  repository.git('fsck', '--strict', '--no-dangling');
  const wanted = [...historyOf(ground, name), ...tips];
  const lost = repository.git('rev-list', ...wanted, '--not', `refs/heads/coppice/${name}`, '--glob=refs/coppice/*');
  expect(lost, `${name}: checkpoints that nothing reaches`).toBe('');
}
