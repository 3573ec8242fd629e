/** Secrets in commits that are made already, and in changes on their way into an environment, found on objects. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { rememberSecrets } from '../../src/config/fingerprint-file.ts';
import { textOf } from '../../src/domain/byte-path.ts';
import { parseEnvironmentName } from '../../src/domain/environment-name.ts';
import { type Oid, parseOid } from '../../src/domain/oid.ts';
import type { SecretSearch } from '../../src/git/checkpointer.ts';
import { hostGit } from '../../src/git/host-git.ts';
import { openLeakSearch } from '../../src/git/leaks/open-leak-search.ts';
import { sieveFor } from '../../src/git/leaks/sieve.ts';
import type { Leak } from '../../src/git/leaks.ts';
import { openRepository } from '../../src/git/native/open.ts';
import { surroundingsOf } from '../../src/platform/surroundings.ts';
import { makeRepository, type TestRepositoryOptions } from '../support/repository.ts';
import { awsEnvironment, awsSecret, githubToken } from './checkpoint/secrets/made-up.ts';

const name = parseEnvironmentName('one');
const told = (leaks: readonly Leak[]) =>
  leaks.map(({ commit, path }) => `${commit.slice(0, 7)} ${path === undefined ? '-' : textOf(path)}`);

/** A repository with `main`, and the branch of an environment checked out. */
function scene(options: TestRepositoryOptions & { readonly secrets?: 'off' } = {}) {
  const repository = makeRepository(options);
  repository.git('checkout', '-q', '-b', 'coppice/one');
  const cache = join(repository.directory, 'cache');
  const fingerprints = join(repository.directory, 'fingerprints');
  const common = join(repository.path, '.git');
  const search = openLeakSearch({
    git: hostGit(common, surroundingsOf(repository.path, repository.env)),
    branchPrefix: 'coppice/',
    cacheOf: () => cache,
    searchFor: (allow): SecretSearch => ({ patterns: options.secrets ?? 'on', allow, fingerprints }),
  });
  const oid = (revision: string) => parseOid(repository.git('rev-parse', revision));
  const inCommits = (without: readonly Oid[] = [], allow: readonly string[] = []) =>
    search.inCommits({ name, head: oid('HEAD'), without, allow });
  const commit = (files: Record<string, string>) => repository.commit('c', files).slice(0, 7);
  return { repository, cache, fingerprints, search, oid, inCommits, commit };
}

test('a commit with a key is told with path, line and commit; later commits without it do not clear it', async () => {
  const { inCommits, commit } = scene();
  const first = commit({ 'src/a': 'work\n', 'my keys/ü.env': awsEnvironment });
  commit({ 'my keys/ü.env': 'nothing any more\n' });
  const leaks = await inCommits();
  expect(told(leaks)).toEqual([`${first} my keys/ü.env`]);
  expect(leaks[0]?.detail).toBe('looks like an AWS secret access key (line 2)');
  expect(await inCommits([], ['my keys/'])).toEqual([]);
});

test('what was there before, was moved, copied or edited around is nothing new', async () => {
  const { repository, inCommits } = scene({ files: { 'token.md': `${githubToken}\n`, a: 'a' } });
  repository.git('mv', 'token.md', 'docs.md');
  repository.commit('moved and edited', { 'docs.md': `# Token\n${githubToken}\n` });
  repository.commit('copied', { copy: `# Token\n${githubToken}\n` });
  repository.commit('edited', { copy: `# A token\n${githubToken}\n` });
  expect(await inCommits()).toEqual([]);
});

test('what the user’s own references reach is theirs; other environments’ branches are not', async () => {
  const { repository, inCommits, commit, oid } = scene();
  const leak = commit({ key: githubToken });
  repository.git('branch', 'coppice/other');
  repository.git('update-ref', 'refs/remotes/origin/coppice/one', 'HEAD');
  expect(told(await inCommits())).toEqual([`${leak} key`]);
  expect(await inCommits([oid('HEAD')])).toEqual([]);
  repository.git('branch', 'mine');
  expect(await inCommits()).toEqual([]);
});

test('a merge counts for what it adds itself, not for what it brings from the target', async () => {
  const { repository, inCommits, commit } = scene();
  commit({ mine: '1' });
  repository.git('checkout', '-q', 'main');
  repository.commit('theirs', { theirs: githubToken });
  repository.git('checkout', '-q', 'coppice/one');
  repository.git('merge', '-q', '--no-commit', 'main');
  const merge = commit({ extra: awsEnvironment });
  expect(told(await inCommits())).toEqual([`${merge} extra`]);
});

test('what a commit itself says is searched: its message and the names it was made under, not its signature', async () => {
  const { repository, inCommits, commit } = scene();
  commit({ a: '1' });
  const message = repository.commit(`Deploy\n\nwith ${githubToken}`, { a: '2' }).slice(0, 7);
  const byToken = [`user.name=${githubToken}`, 'user.email=a@example.org'].flatMap((each) => ['-c', each]);
  const { GIT_AUTHOR_NAME: _author, GIT_AUTHOR_EMAIL: _email, ...env } = repository.env;
  execFileSync('git', [...byToken, 'commit', '-q', '--allow-empty', '-m', 'Named'], { cwd: repository.path, env });
  const named = repository.git('rev-parse', '--short=7', 'HEAD');
  const signed = `tree ${repository.git('rev-parse', 'HEAD^{tree}')}\nparent ${repository.git('rev-parse', 'HEAD')}
author A <a@example.org> 1 +0000\ncommitter A <a@example.org> 1 +0000\ngpgsig -----BEGIN\n ${githubToken}\n -----END\n\nSigned\n`;
  const file = join(repository.directory, 'commit');
  writeFileSync(file, signed);
  repository.git('reset', '-q', repository.git('hash-object', '-t', 'commit', '-w', file));
  const leaks = await inCommits();
  expect(told(leaks)).toEqual([`${message} -`, `${named} -`]);
  expect(leaks.map(({ detail }) => detail)).toEqual([
    'its message looks like a GitHub token (line 3)',
    expect.stringMatching(/^its header looks like a GitHub token/),
  ]);
  expect(await inCommits()).toEqual(leaks);
  expect(told(await inCommits([], ['COMMIT_EDITMSG']))).toEqual([]);
});

test('below references each is told with one that keeps it; checkpoints and what the branch has are left out', async () => {
  const { repository, search, commit, oid } = scene();
  const refs = 'refs/coppice/one/';
  const inRefs = () =>
    search.inRefs({ name, prefixes: [`${refs}heads/`, `${refs}tails/`], without: [oid('main')], allow: [] });
  const side = commit({ 'side.env': awsEnvironment });
  repository.git('update-ref', `${refs}heads/deep/side`, 'HEAD');
  repository.git('update-ref', `${refs}other`, 'HEAD');
  repository.git('reset', '-q', '--hard', 'main');
  const trailers = 'Coppice-Environment: one\nCoppice-Cause: edit';
  const left = commit({ key: githubToken });
  repository.commit(`add x\n\n${trailers}`, { x: awsEnvironment });
  repository.git('update-ref', `${refs}tails/1`, 'HEAD');
  repository.git('reset', '-q', '--hard', 'main');
  expect((await inRefs()).map((leak) => `${told([leak])} ${leak.ref}`).sort()).toEqual(
    [`${side} side.env ${refs}heads/deep/side`, `${left} key ${refs}tails/1`].sort(),
  );
  repository.git('update-ref', '-d', `${refs}heads/deep/side`);
  expect(told(await inRefs())).toEqual([`${left} key`]);
});

test('between two trees only what is left in the end counts', async () => {
  const { search, commit, oid } = scene();
  commit({ key: githubToken });
  const inChanges = () => search.inChanges({ before: oid('main'), after: oid('HEAD'), allow: [] });
  expect(told(await inChanges())).toEqual([`${oid('HEAD').slice(0, 7)} key`]);
  commit({ key: 'gone' });
  expect(await inChanges()).toEqual([]);
});

test('a commit is looked at once; a cache that is torn or of another search is not believed', async () => {
  const { cache, inCommits, commit } = scene();
  const leak = commit({ key: githubToken });
  expect(told(await inCommits())).toEqual([`${leak} key`]);
  const file = join(cache, 'leaks.json');
  expect(readdirSync(cache)).toEqual(['leaks.json']);
  const stored = readFileSync(file, 'utf8');
  expect(stored).not.toContain(githubToken);
  writeFileSync(file, stored.replace('"key"', '"remembered"'));
  expect(told(await inCommits())).toEqual([`${leak} remembered`]);
  expect(told(await inCommits([], ['other/']))).toEqual([`${leak} key`]);
  writeFileSync(file, stored.slice(0, 40));
  expect(told(await inCommits())).toEqual([`${leak} key`]);
});

test('a secret that was given is told too, in commits that were searched before it was known', async () => {
  const { fingerprints, inCommits, commit } = scene({ secrets: 'off' });
  const leak = commit({ notes: 'it is correct horse battery\n' });
  expect(await inCommits()).toEqual([]);
  await rememberSecrets(fingerprints, [Buffer.from('other horse battery')]);
  expect(await inCommits()).toEqual([]);
  await rememberSecrets(fingerprints, [Buffer.from('correct horse battery')]);
  expect(told(await inCommits())).toEqual([`${leak} notes`]);
});

test('switched off, nothing is searched; a root commit and a SHA-256 repository are no matter', async () => {
  const off = scene({ secrets: 'off' });
  off.commit({ key: githubToken });
  expect(await off.inCommits()).toEqual([]);
  const { repository, inCommits } = scene({ objectFormat: 'sha256' });
  repository.git('checkout', '-q', '--orphan', 'coppice/orphan');
  mkdirSync(join(repository.path, 'd'));
  const root = repository.commit('root', { 'd/key': githubToken }).slice(0, 7);
  expect(told(await inCommits())).toEqual([`${root} d/key`]);
});

test('what a sieve names stays as HEAD has it, and nothing of it is in the repository', async () => {
  const { repository } = scene({ files: { 'in/git': 'before\n', large: 'small\n', moved: `${githubToken}\n` } });
  repository.git('mv', 'moved', 'elsewhere');
  const big = 'x'.repeat(2000);
  repository.write({ 'in/git': awsEnvironment, 'in/new': awsEnvironment, large: big, a: 'work\n', bb: 'more\n' });
  const opened = await openRepository(surroundingsOf(repository.path, repository.env), repository.path);
  const limits = { fileBytes: 1000, checkpointBytes: 1000, checkpointFiles: 2, lfsBytes: 1000 };
  const { tree, held } = await opened.snapshotWorktree(
    sieveFor(limits, { patterns: 'on', allow: [], fingerprints: '/nonexistent' }),
  );
  expect(held.map(({ path, reason }) => `${reason} ${path}`)).toEqual([
    'too-much elsewhere',
    'secret in/git',
    'too-much in/new',
    'too-large large',
  ]);
  expect(repository.git('ls-tree', '-r', '--name-only', tree).split('\n')).toEqual(['a', 'bb', 'in/git', 'large']);
  expect(repository.git('show', `${tree}:in/git`)).toBe('before');
  const all = repository.git('cat-file', '--batch-all-objects', '--batch', '--unordered');
  expect(all).toContain('work');
  expect(all).not.toContain(awsSecret);
  expect(all).not.toContain(big);
  expect(repository.git('fsck', '--strict', '--full')).not.toContain('missing');
  const free = { ...limits, fileBytes: 10_000, checkpointBytes: 10_000, checkpointFiles: 10 };
  const second = await opened.snapshotWorktree(
    sieveFor(free, { patterns: 'on', allow: ['in/'], fingerprints: '/nonexistent' }),
  );
  expect(second.held).toEqual([]);
  expect(repository.git('show', `${second.tree}:in/new`)).toContain(awsSecret);
});
