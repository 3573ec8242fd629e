/** What is deliberately not recorded: always listed, the rest goes in, and git's checks pass. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BytePath } from '../../../src/domain/byte-path.ts';
import { makeEnvironment } from './support.ts';

const paths = (held: readonly { readonly path: string; readonly reason: string }[]) =>
  held.map(({ path, reason }) => `${reason} ${path}`);

test('a file over the limit is held; a recorded one keeps its old version; an unchanged one is no matter', async () => {
  const big = 'x'.repeat(2000);
  const environment = makeEnvironment({ files: { grown: 'small', large: big } });
  const checkpointer = await environment.open({ limits: { fileBytes: 1000 } });
  environment.write({ grown: big, fresh: big, ok: 'fine' });
  const first = await checkpointer.checkpoint({ cause: 'edit' });
  expect(paths(first.held)).toEqual(['too-large fresh', 'too-large grown']);
  expect(first.changes.map(({ path }) => path)).toEqual(['ok']);
  expect(environment.repository.git('show', 'coppice/demo:grown')).toBe('small');
  truncateSync(join(environment.tree, 'grown'), 10);
  const second = await checkpointer.checkpoint({ cause: 'edit', paths: ['grown' as BytePath] });
  expect(paths(second.held)).toEqual(['too-large fresh']);
  rmSync(join(environment.tree, 'fresh'));
  expect((await checkpointer.checkpoint({ cause: 'edit', paths: ['fresh' as BytePath] })).held).toEqual([]);
});

test('of too many new files the smallest go in; the rest stays held, across processes, until limits change', async () => {
  const environment = makeEnvironment({ files: { tracked: '1' } });
  const limits = { checkpointFiles: 3, checkpointBytes: 100 };
  const checkpointer = await environment.open({ limits });
  environment.write({ tracked: 'x'.repeat(500), a: '1', b: '22', c: '333', d: '4444', e: '55555' });
  const first = await checkpointer.checkpoint({ cause: 'edit' });
  expect(first.changes.map(({ path }) => path)).toEqual(['a', 'b', 'c', 'tracked']);
  expect(paths(first.held)).toEqual(['too-much d', 'too-much e']);
  environment.write({ later: 'x' });
  const second = await checkpointer.checkpoint({ cause: 'edit' });
  expect(second.changes.map(({ path }) => path)).toEqual(['later']);
  expect(paths(second.held)).toEqual(['too-much d', 'too-much e']);
  await checkpointer.close();
  const again = await environment.open({ limits });
  expect(paths((await again.checkpoint({ cause: 'edit' })).held)).toEqual(['too-much d', 'too-much e']);
  await again.close();
  const wider = await environment.open();
  expect((await wider.checkpoint({ cause: 'edit' })).held).toEqual([]);
  expect(environment.tipTree()).toBe(environment.nativeTree());
});

test('too many bytes: the same', async () => {
  const environment = makeEnvironment();
  const checkpointer = await environment.open({ limits: { checkpointBytes: 100 } });
  environment.write({ a: 'x'.repeat(60), b: 'x'.repeat(50), c: 'x' });
  expect(paths((await checkpointer.checkpoint({ cause: 'edit' })).held)).toEqual(['too-much a']);
});

const refused = [
  '.GIT',
  '.Git',
  'git~1',
  'GIT~1',
  '.git ',
  '.git.',
  '.git:x',
  '.git. .',
  'a\\.git',
  '.g\u200cit',
  '.git\u200d',
];

test('names that git reserves are held with a reason, and fsck is content', async () => {
  const environment = makeEnvironment();
  const checkpointer = await environment.open();
  environment.write(Object.fromEntries(refused.map((name) => [`d/${name}`, 'x'])));
  environment.write({ 'd/.gitmodules': { link: 'x' }, 'd/gitmod~1': { link: 'x' }, 'd/GI7EBA~1': { link: 'x' } });
  environment.write({ 'd/.gitx': 'fine', 'd/git~12': 'fine', 'd/.git-blame': 'fine', 'd/.gitattributes': '' });
  mkdirSync(join(environment.tree, 'e/.GiT'), { recursive: true });
  writeFileSync(join(environment.tree, 'e/.GiT/config'), 'x');
  const { held } = await checkpointer.checkpoint({ cause: 'edit' });
  const bytes = (name: string) => Buffer.from(name).toString('latin1');
  expect(new Set(paths(held))).toEqual(
    new Set([
      ...refused.map((name) => `unrecordable-name d/${bytes(name)}`),
      'unrecordable-name d/.gitmodules',
      'unrecordable-name d/gitmod~1',
      'unrecordable-name d/GI7EBA~1',
      'unrecordable-name e/.GiT',
    ]),
  );
  expect(environment.listing().filter((line) => line.includes(' d/'))).toHaveLength(4);
  environment.fsck();
});

test('a nested repository goes in as plain files, its .git stays out and as it is', async () => {
  const environment = makeEnvironment();
  const checkpointer = await environment.open();
  const nested = join(environment.tree, 'app');
  mkdirSync(nested);
  environment.repository.gitIn(nested, 'init', '-q');
  environment.write({ 'app/src/main.ts': 'x', 'worktree/.git': 'gitdir: /nowhere\n', 'worktree/file': 'y' });
  environment.repository.gitIn(nested, 'add', '-A');
  environment.repository.gitIn(nested, 'commit', '-q', '-m', 'inner');
  const result = await checkpointer.checkpoint({ cause: 'edit' });
  expect(result.held).toEqual([]);
  expect(environment.listing()).toEqual(['100644 README.md', '100644 app/src/main.ts', '100644 worktree/file']);
  expect(environment.repository.gitIn(nested, 'status', '--porcelain')).toBe('');
});

test('submodules keep their commit; files in an empty one are held; a file in its place, or nothing, is recorded', async () => {
  const environment = makeEnvironment();
  const { repository, tree } = environment;
  const commit = repository.git('rev-parse', 'HEAD');
  for (const name of ['sub', 'file', 'away', 'own']) {
    repository.git('update-index', '--add', '--cacheinfo', `160000,${commit},${name}`);
  }
  repository.git('commit', '-q', '-m', 'submodules');
  repository.git('update-ref', 'refs/heads/coppice/demo', 'HEAD');
  for (const name of ['sub', 'file', 'away', 'own']) mkdirSync(join(tree, name));
  const checkpointer = await environment.open();
  expect(await checkpointer.checkpoint({ cause: 'reconcile' })).toMatchObject({ checkpoint: undefined, held: [] });
  environment.write({ 'sub/deep/x': 'lost?', 'own/.git': 'gitdir: elsewhere', 'own/code': 'x' });
  rmSync(join(tree, 'away'), { recursive: true });
  rmSync(join(tree, 'file'), { recursive: true });
  environment.write({ file: 'now a file' });
  const hints = ['sub/deep/x', 'own/code', 'away', 'file'] as BytePath[];
  const result = await checkpointer.checkpoint({ cause: 'edit', paths: hints });
  expect(paths(result.held)).toEqual(['inside-submodule sub']);
  expect(environment.listing()).toEqual(['100644 README.md', '100644 file', '160000 own', '160000 sub']);
});

test('pipes are left out, and reported where they take a recorded place', async () => {
  const environment = makeEnvironment({ files: { a: '1' } });
  const checkpointer = await environment.open();
  rmSync(join(environment.tree, 'a'));
  execFileSync('mkfifo', [join(environment.tree, 'a'), join(environment.tree, 'b')]);
  const result = await checkpointer.checkpoint({ cause: 'edit' });
  expect(paths(result.held)).toEqual(['unreadable a']);
  expect(result.checkpoint).toBeUndefined();
});

test('tracked files that are ignored go in; untracked ones and what is hinted below an ignored directory do not', async () => {
  const environment = makeEnvironment();
  environment.repository.write({ '.gitignore': 'build/\n*.log\n', 'build/kept': '1', 'x.log': '1' });
  environment.repository.git('add', '-f', '.');
  environment.repository.git('commit', '-q', '-m', 'forced');
  environment.repository.git('update-ref', 'refs/heads/coppice/demo', 'HEAD');
  environment.write({
    '.gitignore': 'build/\n*.log\n',
    'build/kept': '2',
    'x.log': '2',
    'build/new': 'x',
    'y.log': 'x',
  });
  const checkpointer = await environment.open();
  expect(checkpointer.isIgnored('build/kept' as BytePath, false)).toBe(false);
  await checkpointer.checkpoint({ cause: 'edit' });
  expect(environment.tipTree()).toBe(environment.nativeTree());
  environment.write({ 'node_modules/x': '1', 'build/deep/x': '1', '.gitignore': 'node_modules\nbuild/\n*.log\n' });
  await checkpointer.checkpoint({ cause: 'edit' });
  environment.write({ 'node_modules/y': '1' });
  const hinted = await checkpointer.checkpoint({
    cause: 'edit',
    paths: ['node_modules/y', 'build/deep/x'] as BytePath[],
  });
  expect(hinted.checkpoint).toBeUndefined();
  expect(environment.tipTree()).toBe(environment.nativeTree());
  expect(checkpointer.isIgnored('node_modules/y' as BytePath, false)).toBe(true);
  expect(checkpointer.isIgnored('node_modules' as BytePath, true)).toBe(true);
  expect(checkpointer.isIgnored('build/kept' as BytePath, false)).toBe(false);
  expect(checkpointer.isIgnored('build/other' as BytePath, false)).toBe(true);
  expect(checkpointer.isIgnored('.git' as BytePath, true)).toBe(true);
  expect(checkpointer.isIgnored('src/new' as BytePath, false)).toBe(false);
  expect(await checkpointer.directories()).toEqual(['', 'build']);
});

test('a hinted change of .gitignore looks at everything again', async () => {
  const environment = makeEnvironment({ files: { '.gitignore': 'out\n' } });
  const checkpointer = await environment.open();
  environment.write({ 'd/out': 'x' });
  await checkpointer.checkpoint({ cause: 'reconcile' });
  writeFileSync(join(environment.tree, '.gitignore'), '');
  await checkpointer.checkpoint({ cause: 'edit', paths: ['.gitignore' as BytePath] });
  expect(environment.listing()).toContain('100644 d/out');
});

test("the user's own excludes and info/exclude count", async () => {
  const environment = makeEnvironment();
  const checkpointer = await environment.open({ userExcludes: '*.swp\n' });
  mkdirSync(join(environment.host.commonDirectory, 'info'), { recursive: true });
  writeFileSync(join(environment.host.commonDirectory, 'info/exclude'), '*.tmp\n');
  environment.write({ 'a.swp': 'x', 'b.tmp': 'x', c: 'x' });
  const { changes } = await checkpointer.checkpoint({ cause: 'edit' });
  expect(changes.map(({ path }) => path)).toEqual(['c']);
});

test('a directory behind a link is not read', async () => {
  const environment = makeEnvironment({ files: { 'd/a': '1' } });
  const outside = join(environment.repository.directory, 'outside');
  mkdirSync(outside);
  writeFileSync(join(outside, 'a'), 'secret');
  const checkpointer = await environment.open();
  await checkpointer.checkpoint({ cause: 'reconcile' });
  renameSync(join(environment.tree, 'd'), join(environment.tree, 'e'));
  symlinkSync(outside, join(environment.tree, 'd'));
  await checkpointer.checkpoint({ cause: 'edit', paths: ['d/a', 'e'] as BytePath[] });
  expect(environment.listing()).toEqual(['120000 d', '100644 e/a']);
  expect(existsSync(join(outside, 'a'))).toBe(true);
});
