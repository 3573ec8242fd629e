/** The stat cache, the seed after a checkout, sparse checkouts, and the roll-up of packs. */
import { readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { BytePath } from '../../../src/domain/byte-path.ts';
import { rollUpPacks } from '../../../src/git/checkpoint/roll-up.ts';
import { seedStatCache } from '../../../src/git/checkpoint/seed.ts';
import { readStatCache, writeStatCache } from '../../../src/git/checkpoint/stat-cache.ts';
import { makeEnvironment, type TestEnvironment } from './support.ts';

const seed = (environment: TestEnvironment) =>
  seedStatCache(environment.request, { git: environment.host, objectFormat: 'sha1' });

/** Changes a file so that only reading it can tell: same size, same times, same inode. Needs the clock to stand still. */
async function plant(environment: TestEnvironment, path: string): Promise<void> {
  const cache = await readStatCache(environment.request.cache, 'sha1');
  const file = join(environment.tree, path);
  const content = readFileSync(file);
  writeFileSync(file, Buffer.from(content).fill('z'));
  const stat = statSync(file);
  const entry = cache.seen.get(path as BytePath);
  if (entry === undefined) throw new Error(`${path} is not in the cache`);
  cache.seen.set(path as BytePath, { ...entry, mtimeMs: stat.mtimeMs, ctimeMs: stat.ctimeMs, ino: stat.ino });
  await writeStatCache(environment.request.cache, 'sha1', cache);
}

test('after a seed the first scan reads no file that looks the same', async () => {
  const environment = makeEnvironment({ files: { a: 'aaa', 'd/b': 'bbb' } });
  await seed(environment);
  await plant(environment, 'd/b');
  const checkpointer = await environment.open();
  expect((await checkpointer.checkpoint({ cause: 'reconcile' })).checkpoint).toBeUndefined();
  const rehashed = await checkpointer.checkpoint({ cause: 'stop', rehash: true });
  expect(rehashed.changes.map(({ path }) => path)).toEqual(['d/b']);
  expect(environment.tipTree()).toBe(environment.nativeTree());
});

test('what a checkpointer learned is there for the next one', async () => {
  const environment = makeEnvironment({ files: { a: 'aaa', 'with\nnewline': 'x' } });
  const first = await environment.open();
  for (const path of ['a', 'with\nnewline']) utimesSync(join(environment.tree, path), 1, 1);
  await expect
    .poll(async () => {
      await first.checkpoint({ cause: 'reconcile' });
      await first.close();
      const { seen } = await readStatCache(environment.request.cache, 'sha1');
      return [...seen.values()].map(({ racy }) => racy);
    })
    .toEqual([false, false]);
  await plant(environment, 'a');
  const second = await environment.open();
  expect((await second.checkpoint({ cause: 'reconcile' })).checkpoint).toBeUndefined();
});

test('a damaged, cut off or missing cache is only slower', async () => {
  const environment = makeEnvironment({ files: { a: 'aaa', b: 'bbb' } });
  await seed(environment);
  await plant(environment, 'a');
  const good = readFileSync(environment.request.cache);
  const flipped = Buffer.from(good);
  flipped[good.length - 30] = (flipped[good.length - 30] ?? 0) ^ 1;
  for (const content of [flipped, good.subarray(0, 50), Buffer.from('x'), Buffer.alloc(0)]) {
    writeFileSync(environment.request.cache, content);
    expect((await readStatCache(environment.request.cache, 'sha1')).seen.size).toBe(0);
  }
  expect((await readStatCache(environment.request.cache, 'sha256')).seen.size).toBe(0);
  rmSync(environment.request.cache);
  const checkpointer = await environment.open();
  expect((await checkpointer.checkpoint({ cause: 'reconcile' })).changes).toHaveLength(1);
});

test('entries of a sparse checkout that are not on disk stay; those that were there once may go', async () => {
  const environment = makeEnvironment({ files: { 'in/a': '1', 'out/b': '2', 'out/c': '3', root: '4' } });
  const { repository, request } = environment;
  const registered = join(repository.directory, 'registered');
  repository.git('worktree', 'add', '-q', '--detach', '--no-checkout', registered, 'coppice/demo');
  repository.gitIn(registered, 'sparse-checkout', 'set', '--cone', 'in');
  repository.gitIn(registered, 'read-tree', '-m', '-u', 'HEAD');
  const registration = repository.gitIn(registered, 'rev-parse', '--absolute-git-dir');
  rmSync(join(environment.tree, 'out'), { recursive: true });
  const sparse = { ...environment, request: { ...request, registration } };
  const { openCheckpointer } = await import('../../../src/git/checkpoint/open-checkpointer.ts');
  const checkpointer = await openCheckpointer(sparse.request, { git: environment.host, objectFormat: 'sha1' });
  try {
    expect((await checkpointer.checkpoint({ cause: 'reconcile' })).checkpoint).toBeUndefined();
    rmSync(join(environment.tree, 'in/a'));
    environment.write({ 'out/b': 'changed' });
    const changed = await checkpointer.checkpoint({ cause: 'edit' });
    expect(changed.changes.map(({ kind, path }) => `${kind} ${path}`)).toEqual(['deleted in/a', 'modified out/b']);
    rmSync(join(environment.tree, 'out/b'));
    const removed = await checkpointer.checkpoint({ cause: 'edit', paths: ['out' as BytePath] });
    expect(removed.changes.map(({ kind, path }) => `${kind} ${path}`)).toEqual(['deleted out/b']);
    expect(environment.listing()).toEqual(['100644 out/c', '100644 root']);
  } finally {
    await checkpointer.close();
  }
});

test('many packs are rolled up, once at a time, and nothing gets lost', async () => {
  const environment = makeEnvironment();
  const checkpointer = await environment.open();
  for (let round = 0; round < 12; round++) {
    environment.write({ a: `${round}` });
    await checkpointer.checkpoint({ cause: 'edit' });
  }
  expect(await rollUpPacks(environment.host, 12)).toBeUndefined();
  const results = await Promise.all([rollUpPacks(environment.host, 10), rollUpPacks(environment.host, 10)]);
  const [done, ...others] = results.filter((result) => result !== undefined);
  expect(others).toEqual([]);
  expect(done?.before).toBe(12);
  expect(done?.after).toBeLessThan(4);
  environment.write({ a: 'after' });
  await checkpointer.checkpoint({ cause: 'edit' });
  expect(environment.repository.git('rev-list', '--count', 'coppice/demo')).toBe('14');
  environment.fsck();
});

test('no file of ours stays behind when a pack cannot be written', async () => {
  const environment = makeEnvironment();
  const checkpointer = await environment.open();
  await checkpointer.checkpoint({ cause: 'reconcile' });
  const objects = join(environment.host.commonDirectory, 'objects');
  rmSync(join(objects, 'pack'), { recursive: true });
  writeFileSync(join(objects, 'pack'), 'in the way');
  environment.write({ a: 'x' });
  await expect(checkpointer.checkpoint({ cause: 'edit' })).rejects.toThrow();
  rmSync(join(objects, 'pack'));
  await checkpointer.checkpoint({ cause: 'edit', paths: [] });
  expect(environment.tipTree()).toBe(environment.nativeTree());
  expect(readdirSync(join(objects, 'pack')).filter((name) => !/^pack-\w+\.(?:pack|idx)$/.test(name))).toEqual([]);
});
