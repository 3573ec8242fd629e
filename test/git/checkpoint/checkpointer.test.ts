/** What a checkpoint makes of changed files. */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type BytePath, textOf } from '../../../src/domain/byte-path.ts';
import { aged, makeEnvironment } from './support.ts';

test('a changed file becomes a commit with the same tree as git add', async () => {
  const environment = makeEnvironment({ files: { 'src/a.ts': 'one\n', 'README.md': '# hi\n' } });
  const checkpointer = await environment.open();
  const parent = environment.tip();
  environment.write({ 'src/a.ts': 'one\ntwo\n' });
  const result = await checkpointer.checkpoint({ cause: 'edit', execs: ['e1'] });
  expect(result.checkpoint).toBe(environment.tip());
  expect(environment.tipTree()).toBe(environment.nativeTree());
  expect(environment.repository.git('log', '-1', '--format=%P|%an <%ae>|%cn|%aI|%B', 'coppice/demo')).toBe(
    `${parent}|Ada Author <ada@example.org>|Ada Author|${new Date('2026-03-04T05:06:07Z').toISOString().replace('.000Z', '+00:00')}|src/a.ts: +1 −0\n\nCoppice-Environment: demo\nCoppice-Cause: edit\nCoppice-Exec: e1\n`,
  );
  environment.fsck();
});

test('touching a file makes no commit', async () => {
  const environment = makeEnvironment({ files: { a: 'one\n' } });
  const checkpointer = await environment.open();
  await checkpointer.checkpoint({ cause: 'reconcile' });
  const before = environment.tip();
  utimesSync(join(environment.tree, 'a'), 1, 1);
  const result = await checkpointer.checkpoint({ cause: 'edit', paths: ['a' as BytePath] });
  expect(result).toMatchObject({ checkpoint: undefined, changes: [], tip: before });
  expect(environment.tip()).toBe(before);
});

test('added, deleted, made executable, file to directory, directory to file: each as git has it', async () => {
  const environment = makeEnvironment({ files: { a: '1', b: '2', 'dir/x': '3', 'dir/y': '4', gone: '5' } });
  const checkpointer = await environment.open();
  chmodSync(join(environment.tree, 'b'), 0o755);
  for (const path of ['a', 'dir', 'gone']) rmSync(join(environment.tree, path), { recursive: true });
  environment.write({ 'a/deep/er': 'x', dir: 'now a file', link: { link: 'nowhere' } });
  const { changes } = await checkpointer.checkpoint({ cause: 'edit' });
  expect(changes.map((change) => `${change.kind} ${textOf(change.path)}`)).toEqual([
    'deleted a',
    'added a/deep/er',
    'modified b',
    'added dir',
    'deleted dir/x',
    'deleted dir/y',
    'deleted gone',
    'added link',
  ]);
  expect(environment.tipTree()).toBe(environment.nativeTree());
  environment.fsck();
});

test('everything removed leaves an empty tree', async () => {
  const environment = makeEnvironment({ files: { 'a/b': '1' } });
  const checkpointer = await environment.open();
  rmSync(join(environment.tree, 'a'), { recursive: true });
  mkdirSync(join(environment.tree, 'empty/dirs'), { recursive: true });
  await checkpointer.checkpoint({ cause: 'edit' });
  expect(environment.tipTree()).toBe(environment.nativeTree());
  environment.write({ 'a/c': 'x' });
  await checkpointer.checkpoint({ cause: 'edit' });
  expect(environment.tipTree()).toBe(environment.nativeTree());
});

test('a tree that is not there is an error, never an empty tree', async () => {
  const environment = makeEnvironment();
  const checkpointer = await environment.open();
  rmSync(environment.tree, { recursive: true });
  await expect(checkpointer.checkpoint({ cause: 'reconcile' })).rejects.toMatchObject({ code: 'tree-missing' });
});

test('a missing branch is an error', async () => {
  const environment = makeEnvironment();
  const checkpointer = await environment.open();
  environment.repository.git('branch', '-D', 'coppice/demo');
  await expect(checkpointer.checkpoint({ cause: 'reconcile' })).rejects.toMatchObject({
    kind: 'not-found',
    code: 'branch-missing',
  });
});

test('hinted paths are all that is looked at', async () => {
  const environment = makeEnvironment({ files: { a: '1', 'd/b': '2', 'd/e/c': '3' } });
  await aged();
  const checkpointer = await environment.open();
  await checkpointer.checkpoint({ cause: 'reconcile' });
  environment.write({ a: 'changed', 'd/b': 'changed', 'd/e/new': 'x', 'd/e/c': 'changed' });
  const first = await checkpointer.checkpoint({ cause: 'edit', paths: ['d/e' as BytePath] });
  expect(first.changes.map((change) => textOf(change.path))).toEqual(['d/e/c', 'd/e/new']);
  const rest = await checkpointer.checkpoint({ cause: 'reconcile' });
  expect(rest.changes.map((change) => textOf(change.path))).toEqual(['a', 'd/b']);
  expect(environment.tipTree()).toBe(environment.nativeTree());
});

test('a file whose times were put back is found by rehash', async () => {
  const environment = makeEnvironment({ files: { a: 'one\n' } });
  const checkpointer = await environment.open();
  await checkpointer.checkpoint({ cause: 'reconcile' });
  writeFileSync(join(environment.tree, 'a'), 'two\n');
  const result = await checkpointer.checkpoint({ cause: 'edit', rehash: true });
  expect(result.changes).toHaveLength(1);
  expect(environment.tipTree()).toBe(environment.nativeTree());
});

for (const objectFormat of ['sha1', 'sha256'] as const) {
  test(`${objectFormat}: many files in one small pack`, async () => {
    const environment = makeEnvironment({ objectFormat });
    const checkpointer = await environment.open();
    const files = Object.fromEntries(
      Array.from({ length: 300 }, (_, index) => [`d${index % 7}/f${index}`, `content ${index}\n`.repeat(index)]),
    );
    environment.write(files);
    await checkpointer.checkpoint({ cause: 'edit' });
    expect(environment.tipTree()).toBe(environment.nativeTree());
    environment.fsck();
  });
}

test('directories sort among files as git sorts them', async () => {
  const environment = makeEnvironment({ files: { 'a.b': '1', 'a-b': '1', a0: '1', a: '1' } });
  const checkpointer = await environment.open();
  rmSync(join(environment.tree, 'a'));
  environment.write({ 'a/x': '2', 'a-/y': '3', 'a0-/z': '4' });
  await checkpointer.checkpoint({ cause: 'edit' });
  expect(environment.tipTree()).toBe(environment.nativeTree());
  environment.fsck();
});

test('directories that were listed before are listed again when entries come, go or are renamed', async () => {
  const environment = makeEnvironment({ files: { 'a/x': '1', 'a/y': '2', 'b/deep/z': '3', 'c/still': '4' } });
  const checkpointer = await environment.open();
  await aged();
  for (let round = 0; round < 3; round++) await checkpointer.checkpoint({ cause: 'reconcile' });
  environment.write({ 'a/new': '5', 'b/deep/er/new': '6', top: '7', 'c/still': 'changed' });
  rmSync(join(environment.tree, 'a/x'));
  renameSync(join(environment.tree, 'b/deep/z'), join(environment.tree, 'b/deep/zz'));
  const { changes } = await checkpointer.checkpoint({ cause: 'reconcile' });
  expect(changes).toHaveLength(7);
  expect(environment.tipTree()).toBe(environment.nativeTree());
});

test('what may not be read is held and stays recorded, whether file or directory', async () => {
  const environment = makeEnvironment({ files: { secret: '1', 'closed/a': '2', 'listed/b': '3', open: '4' } });
  if (process.getuid?.() === 0) execFileSync('chown', ['-R', `${nobody}`, environment.repository.directory]);
  const paths = ['secret', 'closed', 'listed'].map((name) => join(environment.tree, name));
  const checkpointer = await environment.open();
  environment.write({ secret: 'changed', open: 'changed' });
  for (const path of paths) chmodSync(path, path.endsWith('listed') ? 0o444 : 0);
  const result = await asNobody(() => checkpointer.checkpoint({ cause: 'edit' }));
  for (const path of paths) chmodSync(path, 0o755);
  expect(result.held.map(({ path, reason }) => `${reason} ${path}`)).toEqual([
    'unreadable closed',
    'unreadable listed/b',
    'unreadable secret',
  ]);
  expect(result.changes.map(({ path }) => path)).toEqual(['open']);
});

const nobody = 65534;

/** Root may read everything; anybody else is nobody enough. */
async function asNobody<Result>(body: () => Promise<Result>): Promise<Result> {
  if (process.getuid?.() !== 0) return body();
  process.seteuid?.(nobody);
  try {
    return await body();
  } finally {
    process.seteuid?.(0);
  }
}
