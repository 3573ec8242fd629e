/** A repository is found from wherever git would find it, and an environment never decides which one it is. */
import { chmodSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { repositoryIdOf } from '../../../src/domain/directories.ts';
import { rememberRepository } from '../../../src/git/native/enclosing-environment.ts';
import { openRepository } from '../../../src/git/native/open.ts';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import { makeRepository, type TestRepository, temporaryDirectory, writeFiles } from '../../support/repository.ts';

const surroundings = (made: TestRepository, env: Record<string, string> = {}) =>
  surroundingsOf(made.path, { ...made.env, ...env });

test('from a subdirectory of the main checkout', async () => {
  const made = makeRepository({ files: { 'src/a.ts': 'a\n' } });
  const repository = await openRepository(surroundings(made), join(made.path, 'src'));
  expect(repository).toMatchObject({
    commonDirectory: join(made.path, '.git'),
    gitDirectory: join(made.path, '.git'),
    worktree: made.path,
    objectFormat: 'sha1',
    id: repositoryIdOf(join(made.path, '.git')),
  });
  expect(await repository.head()).toEqual({
    kind: 'branch',
    ref: 'refs/heads/main',
    oid: made.git('rev-parse', 'HEAD'),
  });
});

test('from a linked worktree, detached', async () => {
  const made = makeRepository();
  const linked = join(made.directory, 'linked');
  made.git('worktree', 'add', '-q', '--detach', linked);
  const repository = await openRepository(surroundings(made), linked);
  expect(repository.commonDirectory).toBe(join(made.path, '.git'));
  expect(repository.gitDirectory).toBe(join(made.path, '.git/worktrees/linked'));
  expect(repository.worktree).toBe(linked);
  expect(await repository.head()).toEqual({ kind: 'detached', oid: made.git('rev-parse', 'HEAD') });
});

test('from a bare repository, and from inside .git', async () => {
  const made = makeRepository();
  const bare = join(made.directory, 'bare.git');
  made.git('clone', '-q', '--bare', made.path, bare);
  expect(await openRepository(surroundings(made), bare)).toMatchObject({ commonDirectory: bare, worktree: null });
  const inside = await openRepository(surroundings(made), join(made.path, '.git/refs'));
  expect(inside).toMatchObject({ commonDirectory: join(made.path, '.git'), worktree: null });
});

test('unborn, shallow, SHA-256', async () => {
  const unborn = makeRepository({ unborn: true, objectFormat: 'sha256' });
  const fresh = await openRepository(surroundings(unborn), unborn.path);
  expect(fresh.objectFormat).toBe('sha256');
  expect(await fresh.head()).toEqual({ kind: 'unborn', ref: 'refs/heads/main' });
  expect(await fresh.resolveCommit('HEAD')).toBeUndefined();
  const made = makeRepository();
  made.commit('second');
  const shallow = join(made.directory, 'shallow');
  made.git('clone', '-q', '--depth=1', `file://${made.path}`, shallow);
  const repository = await openRepository(surroundings(made), shallow);
  const head = await repository.head();
  if (head.kind !== 'branch') throw new Error(head.kind);
  expect(await repository.log({ start: head.oid })).toHaveLength(1);
});

test('what is no repository is said so', async () => {
  const made = makeRepository();
  const elsewhere = temporaryDirectory();
  await expect(openRepository(surroundings(made), elsewhere)).rejects.toMatchObject({
    kind: 'not-found',
    code: 'not-a-repository',
    hint: expect.stringContaining('git init'),
  });
  await expect(openRepository(surroundings(made), join(elsewhere, 'gone'))).rejects.toMatchObject({
    kind: 'not-found',
  });
});

test("a caller's GIT_DIR does not lead astray", async () => {
  const made = makeRepository();
  const other = makeRepository();
  const env = { GIT_DIR: join(other.path, '.git'), GIT_WORK_TREE: other.path, GIT_INDEX_FILE: join(other.path, 'x') };
  const repository = await openRepository(surroundings(made, env), made.path);
  expect(repository).toMatchObject({ commonDirectory: join(made.path, '.git'), worktree: made.path });
});

test('a git that is too old is named before anything fails', async () => {
  const made = makeRepository();
  const bin = join(made.directory, 'bin');
  writeFiles(bin, { git: { executable: '#!/bin/sh\necho git version 2.37.9\n' } });
  await expect(
    openRepository(surroundings(made, { PATH: `${bin}:${made.env.PATH}` }), made.path),
  ).rejects.toMatchObject({
    kind: 'unavailable',
    code: 'git-too-old',
    data: { found: '2.37', needed: '2.38' },
  });
});

test('a repository of another user is refused with the way out', async () => {
  const made = makeRepository();
  const bin = join(made.directory, 'bin');
  // GIT_TEST_ASSUME_DIFFERENT_OWNER is git's own switch for this; GIT_* is not passed on, so a wrapper sets it.
  const real = realpathSync('/usr/bin/git');
  writeFiles(bin, {
    git: { executable: `#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec ${real} "$@"\n` },
  });
  chmodSync(join(bin, 'git'), 0o755);
  await expect(
    openRepository(surroundings(made, { PATH: `${bin}:${made.env.PATH}` }), made.path),
  ).rejects.toMatchObject({
    kind: 'refused',
    code: 'dubious-ownership',
    hint: expect.stringContaining('safe.directory'),
  });
});

test("inside an environment, whatever its agent put there, it is the environment's own repository", async () => {
  const made = makeRepository();
  const around = surroundings(made);
  const id = repositoryIdOf(join(made.path, '.git'));
  const tree = join(around.dataDirectory, id, 'fix-login', 'tree');
  made.git('branch', 'coppice/fix-login');
  const registration = register(made, tree);

  const repository = await openRepository(around, tree);
  expect(repository).toMatchObject({
    commonDirectory: join(made.path, '.git'),
    gitDirectory: registration,
    worktree: tree,
    id,
  });
  await expect(repository.snapshotWorktree()).rejects.toMatchObject({ code: 'inside-environment' });

  const evil = makeRepository();
  evil.git('worktree', 'add', '-q', '--detach', join(evil.directory, 'x'));
  mkdirSync(join(tree, 'nested'));
  made.gitIn(join(tree, 'nested'), 'init', '-q');
  expect((await openRepository(around, join(tree, 'nested'))).commonDirectory).toBe(join(made.path, '.git'));

  writeFileSync(join(tree, '.git'), `gitdir: ${evil.path}/.git/worktrees/x\n`);
  await expect(openRepository(around, tree)).rejects.toMatchObject({ kind: 'not-found', code: 'not-a-repository' });
  await rememberRepository(around.dataDirectory, repository);
  expect((await openRepository(around, tree)).commonDirectory).toBe(join(made.path, '.git'));
});

/** As coppice registers an environment's worktree. */
function register(made: TestRepository, tree: string): string {
  const registration = join(made.path, '.git/worktrees/coppice-fix-login');
  writeFiles(registration, {
    HEAD: 'ref: refs/heads/coppice/fix-login\n',
    commondir: '../..\n',
    gitdir: `${tree}/.git\n`,
  });
  writeFiles(tree, { '.git': `gitdir: ${registration}\n` });
  return registration;
}
