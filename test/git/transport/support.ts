/** A repository with the transport joined to it, and directories that stand for the inside. */
import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Oid, parseOid } from '../../../src/domain/oid.ts';
import { hostGit } from '../../../src/git/host-git.ts';
import type { Limits } from '../../../src/git/transport/conversation.ts';
import { gitOverExec } from '../../../src/git/transport/git-over-exec.ts';
import type { OpenPipe, Pipe, Transport } from '../../../src/git/transport.ts';
import { start } from '../../../src/platform/process.ts';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import { type TestRepository, writeFiles } from '../../support/repository.ts';
import { agentGit, makeEnvironment, type Place, type Setup, setUp } from '../worktree/support.ts';

export interface Joined {
  readonly setup: Setup;
  readonly repository: TestRepository;
  readonly at: Place;
  readonly transport: Transport;
  /** The agent's own git directory. */
  readonly inside: string;
  /** Writes files, commits them inside, returns the commit. */
  agentCommits(files: Readonly<Record<string, string>>, message?: string): Oid;
  /** Git inside, trimmed. */
  agent(...args: readonly string[]): string;
  /** Whether the user's repository has the object. */
  arrived(oid: string): boolean;
}

export async function joined(
  setup: Setup = setUp({ files: { a: 'a\n' } }),
  limits: Partial<Limits> = {},
): Promise<Joined> {
  const at = await makeEnvironment(setup);
  const { repository } = setup;
  const transport = makeTransport(setup, limits);
  const agent = (...args: readonly string[]) => agentGit(setup, at, ...args);
  return {
    setup,
    repository,
    at,
    transport,
    inside: at.directories.git,
    agent,
    agentCommits: (files, message = 'work') => {
      writeFiles(at.directories.tree, files);
      agent('add', '-A');
      agent('commit', '-q', '--allow-empty', '-m', message);
      return parseOid(agent('rev-parse', 'HEAD'));
    },
    arrived: (oid) => {
      try {
        repository.git('cat-file', '-e', oid);
        return true;
      } catch {
        return false;
      }
    },
  };
}

export function makeTransport(setup: Setup, limits: Partial<Limits> = {}): Transport {
  const objectFormat = setup.repository.git('rev-parse', '--show-object-format') === 'sha256' ? 'sha256' : 'sha1';
  const git = hostGit(setup.common, surroundingsOf(setup.repository.path, setup.repository.env));
  return gitOverExec({ git, objectFormat, limits });
}

/** What an agent's shell has. */
export const insideEnvironment = { PATH: process.env.PATH ?? '/usr/bin:/bin', HOME: '/nonexistent', LC_ALL: 'C.UTF-8' };

/** Runs the command beside us: a process stands for an exec. */
export const openHere: OpenPipe = (command) => pipeOf(command);

/** Runs the command in a sandbox that sees only `visible` of the directories below the home and /tmp. */
export function openSandboxed(...visible: readonly string[]): OpenPipe {
  const binds = visible.flatMap((path) => ['--bind', path, path]);
  const sandbox = ['bwrap', '--unshare-all', '--die-with-parent', '--ro-bind', '/usr', '/usr'];
  const links = ['bin', 'lib', 'lib64', 'sbin'].flatMap((name) => ['--symlink', `usr/${name}`, `/${name}`]);
  return (command) =>
    pipeOf([...sandbox, ...links, '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', ...binds, '--', ...command]);
}

export async function pipeOf(command: readonly string[]): Promise<Pipe> {
  const [program = '', ...args] = command;
  const started = await start(program, args, { env: insideEnvironment });
  return {
    stdin: started.stdin,
    stdout: started.stdout,
    stderr: started.stderr,
    exit: started.exit,
    kill: async () => {
      started.kill('SIGKILL');
      await started.exit;
    },
  };
}

/** Object directories and leftovers of the user's repository, as a list to compare. */
export function objectFiles(setup: Setup): readonly string[] {
  return execFileSync('find', [join(setup.common, 'objects'), '-type', 'f'], { encoding: 'utf8' })
    .split('\n')
    .sort();
}

export function scratch(setup: Setup): readonly string[] {
  return readdirSync(join(setup.common, 'coppice'));
}
