/** The library: the same operations, typed, from the built package. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';
import type * as Library from '../../src/index.ts';
import { coppiceIn, entry } from '../support/coppice.ts';
import { makeRepository } from '../support/repository.ts';

it('creates, runs, merges and fails as the command line does', async () => {
  const { openCoppice, CoppiceError } = (await import(
    pathToFileURL(join(entry, '../../index.js')).href
  )) as typeof Library;
  const repository = makeRepository();
  const { env } = coppiceIn(repository);
  const said: string[] = [];
  const coppice = openCoppice({ directory: repository.path, env, report: (message) => said.push(message) });
  onTestFinished(() => coppice.close());
  const { environments } = await coppice.create({ name: 'one', runtime: 'sandbox', title: 'From a program' });
  expect(environments).toMatchObject([{ name: 'one', branch: 'coppice/one', target: 'main' }]);
  const done = await coppice.exec({ name: 'one', command: ['sh', '-c', 'echo lib > lib.txt; echo out; exit 3'] });
  expect(done).toMatchObject({ exit: 3, stdout: 'out\n', held: [] });
  await expect(coppice.remove({ name: 'one' })).rejects.toMatchObject({ code: 'unmerged-work', kind: 'refused' });
  await expect(coppice.show({ name: 'nobody' })).rejects.toBeInstanceOf(CoppiceError);
  expect(await coppice.merge({ name: 'one', remove: true })).toMatchObject({ kind: 'merge', into: 'main' });
  expect(repository.git('show', 'main:lib.txt')).toBe('lib');
  expect((await coppice.list()).environments).toEqual([]);
});

it('works from inside a git hook, whose variables would lead elsewhere, and writes no shared configuration', async () => {
  const repository = makeRepository();
  const cli = coppiceIn(repository);
  const config = repository.git('config', '--list', '--local');
  const hook = {
    GIT_DIR: join(repository.path, '.git'),
    GIT_INDEX_FILE: join(repository.path, '.git/index'),
    GIT_WORK_TREE: repository.path,
    GIT_PREFIX: '',
    GIT_REFLOG_ACTION: 'checkout',
    GIT_EXEC_PATH: '/nonexistent',
    GIT_OBJECT_DIRECTORY: '/nonexistent',
  };
  const run = async (...args: readonly string[]) => {
    const done = await cli.run(args, { env: hook });
    expect(done.stderr).toBe('');
    expect(done.status).toBe(0);
    return done.stdout;
  };
  await run('create', 'one', '--runtime', 'sandbox');
  expect(
    await run(
      'exec',
      'one',
      '--',
      'sh',
      '-c',
      'env | grep ^GIT_; git init -q /tmp/fixture && git status --short; echo h > h.txt',
    ),
  ).toBe('');
  writeFileSync(join(repository.path, 'mine.txt'), 'm\n');
  await run('checkpoint', 'one');
  await run('merge', 'one');
  await run('remove', 'one');
  expect(repository.git('config', '--list', '--local')).toBe(config);
  expect(repository.git('status', '--porcelain')).toBe('?? mine.txt');
  expect(repository.git('show', 'main:h.txt')).toBe('h');
});
