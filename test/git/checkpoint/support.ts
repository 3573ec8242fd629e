/** An environment as a checkpointer sees it: a branch of a test repository and a directory with its files. */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { parseEnvironmentName } from '../../../src/domain/environment-name.ts';
import { parseRefName } from '../../../src/domain/ref-name.ts';
import { openCheckpointer } from '../../../src/git/checkpoint/open-checkpointer.ts';
import { racyWindow } from '../../../src/git/checkpoint/stat-cache.ts';
import {
  type Checkpointer,
  type CheckpointerRequest,
  defaultHoldLimits,
  type HoldLimits,
  type SecretSearch,
} from '../../../src/git/checkpointer.ts';
import { type HostGit, hostGit } from '../../../src/git/host-git.ts';
import { openLfsStore } from '../../../src/git/lfs/store.ts';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import {
  type FileContent,
  makeRepository,
  type TestRepository,
  type TestRepositoryOptions,
  writeFiles,
} from '../../support/repository.ts';

export interface TestEnvironment {
  readonly repository: TestRepository;
  readonly host: HostGit;
  readonly request: CheckpointerRequest;
  /** Where its files are. */
  readonly tree: string;
  /** Closed after the test. */
  open(changed?: {
    readonly limits?: Partial<HoldLimits>;
    readonly secrets?: Partial<SecretSearch>;
    readonly userExcludes?: string;
    /** Whether content of Git LFS is stored. */
    readonly lfs?: boolean;
  }): Promise<Checkpointer>;
  write(files: Readonly<Record<string, FileContent>>): void;
  /** The branch's tip. */
  tip(): string;
  tipTree(): string;
  /** The tree that `git add -A` makes of the files, starting from the tip. */
  nativeTree(): string;
  /** The same with one index for the whole test, which started from the base: the model to be equal to. */
  modelTree(): string;
  /** `path → mode` of the tip's files. */
  listing(): readonly string[];
  fsck(): void;
}

export const fixedNow = () => new Date('2026-03-04T05:06:07Z');

/** Resolves once everything there is now is old enough for its times to be trusted. */
export async function aged(): Promise<void> {
  const written = Date.now();
  await expect.poll(() => Date.now() - written, { interval: 10 }).toBeGreaterThan(racyWindow + 20);
}

/** The files of `options` are checked out into the environment's tree. */
export function makeEnvironment(
  options: TestRepositoryOptions & { readonly config?: readonly string[] } = {},
): TestEnvironment {
  const repository = makeRepository(options);
  for (const setting of options.config ?? []) {
    const [key = '', value = ''] = setting.split('=');
    repository.git('config', key, value);
  }
  repository.git('branch', 'coppice/demo');
  const tree = join(repository.directory, 'tree');
  mkdirSync(tree);
  const common = join(repository.path, '.git');
  const host = hostGit(common, surroundingsOf(repository.path, repository.env));
  const objectFormat = options.objectFormat ?? 'sha1';
  const request: CheckpointerRequest = {
    name: parseEnvironmentName('demo'),
    tree,
    branch: parseRefName('refs/heads/coppice/demo'),
    author: { name: 'Ada Author', email: 'ada@example.org' },
    cache: join(common, 'coppice/environments/demo/stat-cache'),
    registration: join(common, 'worktrees/coppice-demo'),
    limits: defaultHoldLimits,
    secrets: { patterns: 'on', allow: [], fingerprints: join(repository.directory, 'fingerprints') },
  };
  const index = join(repository.directory, 'native-index');
  const withIndex = (file: string, ...args: readonly string[]) =>
    execFileSync('git', [`--git-dir=${common}`, `--work-tree=${tree}`, ...args], {
      cwd: tree,
      env: { ...repository.env, GIT_INDEX_FILE: file },
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  const native = (...args: readonly string[]) => withIndex(index, ...args);
  const model = (...args: readonly string[]) => withIndex(`${index}-model`, ...args);
  model('read-tree', 'coppice/demo');
  model('checkout-index', '-a', '-u');
  return {
    repository,
    host,
    request,
    tree,
    async open(changed = {}) {
      const limits = { ...request.limits, ...changed.limits };
      const { userExcludes = '' } = changed;
      const secrets = { ...request.secrets, ...changed.secrets };
      const checkpointer = await openCheckpointer(
        { ...request, limits, secrets },
        {
          git: host,
          objectFormat,
          userExcludes,
          now: fixedNow,
          ...(changed.lfs ? { lfs: openLfsStore(async () => join(common, 'lfs')) } : {}),
        },
      );
      onTestFinished(() => checkpointer.close());
      return checkpointer;
    },
    write: (files) => writeFiles(tree, files),
    tip: () => repository.git('rev-parse', 'coppice/demo'),
    tipTree: () => repository.git('rev-parse', 'coppice/demo^{tree}'),
    nativeTree() {
      native('read-tree', 'coppice/demo');
      native('add', '-A');
      return native('write-tree');
    },
    modelTree() {
      model('add', '-A');
      return model('write-tree');
    },
    listing: () => repository.git('ls-tree', '-r', '--format=%(objectmode) %(path)', 'coppice/demo').split('\n'),
    fsck: () => void repository.git('fsck', '--strict', '--no-dangling'),
  };
}
