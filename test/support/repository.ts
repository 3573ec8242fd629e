/** Real git in hermetic temporary repositories: own home, own configuration, fixed dates, so that object names repeat. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A directory that is gone after the test. */
export function temporaryDirectory(): string {
  const directory = realpathSync(mkdtempSync(join(tmpdir(), 'coppice-test-')));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** The environment of hermetic git: nothing of the caller's but the PATH. */
export function hermeticEnvironment(home: string): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '/usr/bin:/bin',
    HOME: home,
    XDG_CONFIG_HOME: join(home, '.config'),
    XDG_DATA_HOME: join(home, '.local/share'),
    XDG_STATE_HOME: join(home, '.local/state'),
    XDG_RUNTIME_DIR: join(home, '.run'),
    LC_ALL: 'C.UTF-8',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_AUTHOR_NAME: 'Ada Author',
    GIT_AUTHOR_EMAIL: 'ada@example.org',
    GIT_AUTHOR_DATE: '2026-01-02T03:04:05Z',
    GIT_COMMITTER_NAME: 'Cleo Committer',
    GIT_COMMITTER_EMAIL: 'cleo@example.org',
    GIT_COMMITTER_DATE: '2026-01-02T03:04:05Z',
  };
}

/** Content of a file; `executable` and `link` for the other kinds git records. */
export type FileContent = string | Uint8Array | { readonly executable: string } | { readonly link: string };

export function writeFiles(root: string, files: Readonly<Record<string, FileContent>>): void {
  for (const [path, content] of Object.entries(files)) {
    const target = join(root, path);
    mkdirSync(dirname(target), { recursive: true });
    if (typeof content === 'string' || content instanceof Uint8Array) writeFileSync(target, content);
    else if ('link' in content) symlinkSync(content.link, target);
    else {
      writeFileSync(target, content.executable);
      chmodSync(target, 0o755);
    }
  }
}

export interface TestRepository {
  /** Holds `repository`, `home` and whatever else a test wants; gone afterwards. */
  readonly directory: string;
  readonly path: string;
  readonly home: string;
  readonly env: Record<string, string>;
  /** Runs git there and returns its trimmed stdout; throws with stderr when it fails. */
  git(...args: readonly string[]): string;
  /** The same in another directory. */
  gitIn(directory: string, ...args: readonly string[]): string;
  write(files: Readonly<Record<string, FileContent>>): void;
  /** Writes, stages everything, commits; returns the commit. */
  commit(message: string, files?: Readonly<Record<string, FileContent>>): string;
}

export interface TestRepositoryOptions {
  readonly files?: Readonly<Record<string, FileContent>>;
  readonly objectFormat?: 'sha1' | 'sha256';
  /** No first commit. */
  readonly unborn?: boolean;
}

export function makeRepository(options: TestRepositoryOptions = {}): TestRepository {
  const directory = temporaryDirectory();
  const path = join(directory, 'repository');
  const home = join(directory, 'home');
  mkdirSync(path);
  mkdirSync(join(home, '.run'), { recursive: true });
  const env = hermeticEnvironment(home);
  writeFileSync(join(home, '.gitconfig'), '[user]\n\tname = Ursula User\n\temail = ursula@example.org\n');
  const gitIn = (cwd: string, ...args: readonly string[]) =>
    execFileSync('git', args, {
      cwd,
      env,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      stdio: ['ignore', 'pipe', 'pipe'],
    }).replace(/\n$/, '');
  const git = (...args: readonly string[]) => gitIn(path, ...args);
  git('init', '-q', '-b', 'main', `--object-format=${options.objectFormat ?? 'sha1'}`);
  const write = (files: Readonly<Record<string, FileContent>>) => writeFiles(path, files);
  const commit = (message: string, files: Readonly<Record<string, FileContent>> = {}) => {
    write(files);
    git('add', '-A');
    git('commit', '-q', '--allow-empty', '-m', message);
    return git('rev-parse', 'HEAD');
  };
  if (!options.unborn) commit('first', options.files ?? { 'README.md': '# A project\n' });
  return { directory, path, home, env, git, gitIn, write, commit };
}
