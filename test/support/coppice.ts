/** Runs the built command line as a person would, in a hermetic home; what it leaves in an engine is removed. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';
import type { TestRepository } from './repository.ts';

export const entry = resolve(import.meta.dirname, '../../dist/cli/main.js');

export interface Result {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Cli {
  /** Runs it and returns what it said, whatever the status. */
  run(args: readonly string[], options?: RunOptions): Promise<Result>;
  /** The answer as JSON; throws with stderr unless the status is 0 (or one of `allow`). */
  json<Answer = Record<string, unknown>>(
    args: readonly string[],
    options?: RunOptions & { allow?: readonly number[] },
  ): Promise<Answer>;
  /** Starts it and leaves it running; killed at the end of the test. */
  start(args: readonly string[], options?: Pick<RunOptions, 'env'>): ChildProcess;
  readonly env: Record<string, string>;
}

export interface RunOptions {
  readonly cwd?: string;
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface CliOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** User settings; the daemon is off unless a test is about it. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

export function coppiceIn(repository: TestRepository, options: CliOptions = {}): Cli {
  if (!existsSync(entry)) throw new Error('The command line is not built: run `npm run build` first (npm test does).');
  const {
    GIT_AUTHOR_DATE,
    GIT_COMMITTER_DATE,
    GIT_AUTHOR_NAME,
    GIT_AUTHOR_EMAIL,
    GIT_COMMITTER_NAME,
    GIT_COMMITTER_EMAIL,
    ...base
  } = repository.env;
  const env = { ...base, ...options.env };
  const config = join(repository.home, '.config/coppice');
  mkdirSync(config, { recursive: true });
  writeFileSync(join(config, 'config.json'), JSON.stringify({ daemon: 'off', ...options.settings }));
  const run: Cli['run'] = (args, { cwd = repository.path, input, env: more = {} } = {}) =>
    new Promise((done) => {
      const child = execFile(
        process.execPath,
        [entry, ...args],
        { cwd, env: { ...env, ...more }, maxBuffer: 2 ** 28, encoding: 'utf8' },
        (error, stdout, stderr) => {
          const status = error === null ? 0 : typeof error.code === 'number' ? error.code : 255;
          done({ status, stdout, stderr });
        },
      );
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input ?? '');
    });
  return {
    env,
    run,
    async json(args, { allow = [0], ...rest } = {}) {
      const { status, stdout, stderr } = await run(['--json', ...args], rest);
      if (!allow.includes(status))
        throw new Error(`coppice ${args.join(' ')} ended with ${status}\n${stdout}\n${stderr}`);
      return JSON.parse(stdout);
    },
    start(args, options = {}) {
      const child = spawn(process.execPath, [entry, ...args], {
        cwd: repository.path,
        env: { ...env, ...options.env },
        stdio: ['pipe', 'pipe', 'pipe'],
      });
      onTestFinished(() => void child.kill('SIGKILL'));
      return child;
    },
  };
}
