/** Who the user is, what they configured, what they sign with, and what lies in their checkout. */
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openRepository } from '../../../src/git/native/open.ts';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import { makeRepository, type TestRepositoryOptions, writeFiles } from '../../support/repository.ts';
import { pictureOf } from '../merge/checkout-fixture.ts';

async function open(options: TestRepositoryOptions = {}) {
  const made = makeRepository(options);
  const repository = await openRepository(surroundingsOf(made.path, made.env), made.path);
  return { made, repository };
}

test('identity comes from the configuration, never from a guess', async () => {
  const { made, repository } = await open();
  expect(await repository.identity()).toEqual({ name: 'Ursula User', email: 'ursula@example.org' });
  made.git('config', 'user.name', 'Local Ünïcode');
  expect(await repository.identity()).toEqual({ name: 'Local Ünïcode', email: 'ursula@example.org' });
  made.git('config', '--unset', 'user.name');
  writeFileSync(join(made.home, '.gitconfig'), '');
  expect(await repository.identity()).toBeUndefined();
});

test('one value of the effective configuration', async () => {
  const { made, repository } = await open();
  made.git('config', 'a.Sub Section.key', 'two\nlines');
  expect(await repository.config('a.Sub Section.key')).toBe('two\nlines');
  expect(await repository.config('user.email')).toBe('ursula@example.org');
  expect(await repository.config('no.such')).toBeUndefined();
  for (const key of ['--list', 'nodot', '', 'a.b c']) {
    await expect(repository.config(key)).rejects.toMatchObject({ kind: 'usage', code: 'bad-config-key' });
  }
});

test('a commit is signed with what the user configured, or it says that it could not be', async () => {
  const { made, repository } = await open();
  const person = { name: 'Ada', email: 'ada@example.org', seconds: 1, zone: '+0000' };
  const commit = { tree: await repository.emptyTree(), parents: [], author: person, committer: person, message: 'm\n' };
  const signer = join(made.directory, 'signer');
  writeFiles(made.directory, {
    signer: {
      executable:
        '#!/bin/sh\ncat >/dev/null\necho "[GNUPG:] SIG_CREATED " >&2\nprintf -- "-----BEGIN PGP SIGNATURE-----\\nsigned by %s\\n-----END PGP SIGNATURE-----\\n" "$3"\n',
    },
  });
  writeFileSync(join(made.home, '.gitconfig'), `[user]\n\tsigningKey = KEY\n[gpg]\n\tprogram = ${signer}\n`);
  const signed = await repository.writeCommit({ ...commit, sign: true });
  expect(made.git('cat-file', 'commit', signed)).toContain('signed by KEY');
  expect(await repository.readCommit(signed)).toMatchObject({ author: person, message: 'm\n' });
  const unsigned = await repository.writeCommit(commit);
  expect(made.git('cat-file', 'commit', unsigned)).not.toContain('gpgsig');
  rmSync(signer);
  await expect(repository.writeCommit({ ...commit, sign: true })).rejects.toMatchObject({
    kind: 'failed',
    code: 'signing-failed',
    hint: expect.stringContaining('user.signingKey'),
  });
});

test('worktrees are listed as git registers them', async () => {
  const { made, repository } = await open();
  const oid = made.git('rev-parse', 'HEAD');
  const [side, detached] = ['side\nline', 'detached'].map((name) => join(made.directory, name));
  made.git('worktree', 'add', '-q', '-b', 'side', side ?? '');
  made.git('worktree', 'add', '-q', '--detach', detached ?? '');
  const paths = (await repository.worktrees()).toSorted((left, right) => (left.path < right.path ? -1 : 1));
  expect(paths).toEqual([
    { path: detached, head: oid, branch: null, bare: false },
    { path: made.path, head: oid, branch: 'refs/heads/main', bare: false },
    { path: side, head: oid, branch: 'refs/heads/side', bare: false },
  ]);
  const unborn = await open({ unborn: true });
  expect(await unborn.repository.worktrees()).toEqual([
    { path: unborn.made.path, head: null, branch: 'refs/heads/main', bare: false },
  ]);
});

test('a snapshot has what the checkout has, ignored and nested repositories aside, and changes nothing', async () => {
  const { made, repository } = await open({ files: { f: 'f\n', gone: 'gone\n', '.gitignore': '*.log\n', s: 's\n' } });
  made.write({
    f: 'changed\n',
    s: 'staged\n',
    'new/file': 'new\n',
    'x.log': 'ignored\n',
    run: { executable: '#!/bin/sh\n' },
  });
  made.git('add', 's');
  made.write({ s: 'and changed\n' });
  rmSync(join(made.path, 'gone'));
  mkdirSync(join(made.path, 'nested'));
  made.gitIn(join(made.path, 'nested'), 'init', '-q');
  made.gitIn(join(made.path, 'nested'), 'commit', '-q', '--allow-empty', '-m', 'nested');
  const before = pictureOf(made.path);
  const { tree } = await repository.snapshotWorktree();
  expect(pictureOf(made.path)).toEqual(before);
  expect(made.git('ls-tree', '-r', '--name-only', tree).split('\n')).toEqual([
    '.gitignore',
    'f',
    'new/file',
    'run',
    's',
  ]);
  expect(made.git('cat-file', 'blob', `${tree}:s`)).toBe('and changed');
  expect(made.git('ls-tree', tree, 'run')).toContain('100755');
  expect(existsSync(join(made.path, '.git/coppice/tmp'))).toBe(true);
  expect(readFileSync(join(made.path, 'x.log'), 'utf8')).toBe('ignored\n');
});

test('a snapshot of a checkout without a first commit, and of none', async () => {
  const { made, repository } = await open({ unborn: true });
  made.write({ f: 'f\n' });
  expect(made.git('ls-tree', '--name-only', (await repository.snapshotWorktree()).tree)).toBe('f');
  const bare = join(made.directory, 'bare.git');
  made.git('init', '-q', '--bare', bare);
  const inBare = await openRepository(surroundingsOf(bare, made.env), bare);
  await expect(inBare.snapshotWorktree()).rejects.toMatchObject({ kind: 'usage', code: 'no-checkout' });
});
