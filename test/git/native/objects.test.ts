/** Commits, trees and blobs are read and written as git itself would. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { textOf } from '../../../src/domain/byte-path.ts';
import { parseOid } from '../../../src/domain/oid.ts';
import { openRepository } from '../../../src/git/native/open.ts';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import { rounds } from '../../support/random.ts';
import { makeRepository, type TestRepositoryOptions } from '../../support/repository.ts';

async function open(options: TestRepositoryOptions = {}) {
  const made = makeRepository(options);
  const repository = await openRepository(surroundingsOf(made.path, made.env), made.path);
  const head = () => parseOid(made.git('rev-parse', 'HEAD'));
  return { made, repository, head };
}

const ada = { name: 'Ada Ünïcode', email: 'ada@example.org', seconds: 1_700_000_000, zone: '+0530' };
const cleo = { name: 'Cleo', email: '', seconds: 1_700_000_001, zone: '-0800' };

describe.each(['sha1', 'sha256'] as const)('%s', (objectFormat) => {
  test('a commit is read back as it was written', async () => {
    const { repository, head, made } = await open({ objectFormat });
    const tree = await repository.emptyTree();
    for (const message of [
      'subject\n\nbody\n\n\ntrailing\n\n\n',
      'no newline',
      '',
      ' leading\n# comment\n',
      'ümläut\n',
    ]) {
      const commit = { tree, parents: [head()], author: ada, committer: cleo, message };
      const oid = await repository.writeCommit(commit);
      expect(await repository.readCommit(oid)).toEqual({ oid, ...commit });
      expect(made.git('log', '-1', '--format=%an <%ae> %ad|%cn <%ce> %cd', '--date=raw', oid)).toBe(
        'Ada Ünïcode <ada@example.org> 1700000000 +0530|Cleo <> 1700000001 -0800',
      );
    }
  });

  test('a tree is edited along the paths only, and is the tree git makes of the same files', async () => {
    const { repository, made, head } = await open({
      objectFormat,
      files: { 'a/b/c': 'c\n', 'a/d': 'd\n', 'e.x': 'e\n', e: 'e\n' },
    });
    const blob = await repository.writeBlob(Buffer.from('new\n'));
    const entry = { mode: '100644', oid: blob } as const;
    const tree = await repository.writeTree(head(), [
      { path: 'a/b/c', entry: null },
      { path: 'a/b/n', entry },
      { path: 'e/inner/run', entry: { mode: '100755', oid: blob } },
      { path: 'naïve\tname', entry },
      { path: 'a/d', entry: null },
      { path: 'nothing/there', entry: null },
      { path: 'copy', entry: { mode: '040000', oid: parseOid(made.git('rev-parse', 'HEAD:a')) } },
    ]);
    expect(
      (await repository.listTree(tree, { recursive: true })).map(({ path, mode }) => `${mode} ${textOf(path)}`),
    ).toEqual([
      '100644 a/b/n',
      '100644 copy/b/c',
      '100644 copy/d',
      '100644 e.x',
      '100755 e/inner/run',
      '100644 naïve\tname',
    ]);
    made.git('fsck', '--strict', '--no-dangling');
    const emptied = ['a/b/n', 'copy', 'e.x', 'e/inner/run', 'naïve\tname'].map((path) => ({ path, entry: null }));
    expect(await repository.writeTree(tree, emptied)).toBe(await repository.emptyTree());
  });
});

test('any edits give the tree that an index would give', async () => {
  const { repository, made, head } = await open({ files: { 'a/a': '1', 'a/b/a': '2', b: '3', 'c/a': '4' } });
  const blob = await repository.writeBlob(Buffer.from('new\n'));
  const name = fc.constantFrom('a', 'b', 'a.b', 'a-b', 'c');
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(path, fc.boolean()), { maxLength: 5 }), async (edits) => {
      const tree = await repository.writeTree(
        head(),
        edits.map(([path, present]) => ({ path, entry: present ? { mode: '100644', oid: blob } : null })),
      );
      const index = join(made.directory, 'index');
      const git = (args: readonly string[], input: string) =>
        execFileSync('git', args, {
          cwd: made.path,
          env: { ...made.env, GIT_INDEX_FILE: index },
          input,
          encoding: 'utf8',
        });
      git(['read-tree', 'HEAD'], '');
      for (const [path, present] of edits) {
        if (present) git(['update-index', '--add', '--replace', '--cacheinfo', `100644,${blob},${path}`], '');
        else git(['rm', '-q', '-r', '-f', '--cached', '--ignore-unmatch', '--', path], '');
      }
      expect(tree).toBe(git(['write-tree'], '').trim());
    }),
    { numRuns: rounds(25) },
  );
});

test.each(['../x', 'a//b', '.git/config', 'a/.GIT/b', '', '/a'])('%j cannot be recorded', async (path) => {
  const { repository } = await open();
  const oid = await repository.writeBlob(Buffer.from('x'));
  const attempt = repository.writeTree(null, [{ path, entry: { mode: '100644', oid } }]);
  await expect(attempt).rejects.toMatchObject({ code: 'unrecordable-path' });
});

test('blobs are read many at once, in order, whatever their names and bytes', async () => {
  const { repository, head } = await open({ files: { 'a b': '', 'line\nfeed': 'x\n', 'd/f': 'y' } });
  const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 256));
  const tree = await repository.writeTree(head(), [
    { path: 'bytes', entry: { mode: '100644', oid: await repository.writeBlob(bytes) } },
  ]);
  const paths = ['bytes', 'no\nne missing', 'a b', 'd', 'line\nfeed', 'd/f', 'bytes/x', 'missing'];
  const read = await repository.readBlobsAt(paths.map((path) => ({ treeish: tree, path })));
  expect(read.map((content) => content?.toString('latin1'))).toEqual([
    bytes.toString('latin1'),
    undefined,
    '',
    undefined,
    'x\n',
    'y',
    undefined,
    undefined,
  ]);
  expect(await repository.readBlobAt(head(), 'd/f')).toEqual(Buffer.from('y'));
  expect(await repository.readBlobsAt([])).toEqual([]);
});

test('a tree is listed whole, or in part', async () => {
  const { repository, head } = await open({ files: { 'a/b/c': 'c', 'a/d': 'd', '*': 'star' } });
  const list = async (options?: { recursive?: boolean; path?: string }) =>
    (await repository.listTree(head(), options)).map(({ path }) => path);
  expect(await list()).toEqual(['*', 'a']);
  expect(await list({ recursive: true })).toEqual(['*', 'a/b/c', 'a/d']);
  expect(await list({ path: 'a' })).toEqual(['a/b', 'a/d']);
  expect(await list({ path: 'a/', recursive: true })).toEqual(['a/b/c', 'a/d']);
  expect(await list({ path: 'a/d' })).toEqual(['a/d']);
  expect(await list({ path: '*' })).toEqual(['*']);
  expect(await list({ path: 'none' })).toEqual([]);
});

test('log: newest first, bounded, without what is excluded', async () => {
  const { repository, made, head } = await open();
  const oids = [head()];
  for (const message of ['two', 'three']) oids.push(parseOid(made.commit(message)));
  made.git('switch', '-q', '-c', 'side', oids[0] ?? '');
  const side = parseOid(made.commit('side'));
  made.git('switch', '-q', 'main');
  made.git('merge', '-q', '--no-ff', '-m', 'merge', 'side');
  const start = head();
  const subjects = async (range: Omit<Parameters<typeof repository.log>[0], 'start'>) =>
    (await repository.log({ start, ...range })).map(({ message }) => message.trim());
  expect(await subjects({ firstParent: true })).toEqual(['merge', 'three', 'two', 'first']);
  expect(await subjects({ firstParent: true, limit: 2 })).toEqual(['merge', 'three']);
  expect(await subjects({ exclude: [side], firstParent: true })).toEqual(['merge', 'three', 'two']);
  expect(await subjects({ exclude: [start] })).toEqual([]);
  expect((await repository.readCommit(start)).parents).toEqual([oids[2], side]);
  expect(await repository.isAncestor(side, start)).toBe(true);
  expect(await repository.isAncestor(start, side)).toBe(false);
  expect(await repository.mergeBase(oids[2] ?? start, side)).toBe(oids[0]);
  await expect(repository.readCommit(parseOid('1'.repeat(40)))).rejects.toMatchObject({ code: 'no-such-commit' });
});

test('a commit in another encoding, with a signature and a broken author, is read', async () => {
  const { repository, made } = await open();
  const tree = await repository.emptyTree();
  const raw = Buffer.concat([
    Buffer.from(
      `tree ${tree}\nauthor Jos\xe9 <jose@example.org> 12 +0100\ncommitter broken\nencoding ISO-8859-1\n`,
      'latin1',
    ),
    Buffer.from('gpgsig -----BEGIN\n author Mallory <m@example.org> 1 +0000\n \n -----END\n\nol\xe9\n', 'latin1'),
  ]);
  const file = join(made.directory, 'raw');
  writeFileSync(file, raw);
  const oid = parseOid(made.git('hash-object', '-t', 'commit', '-w', '--literally', file));
  expect(await repository.readCommit(oid)).toMatchObject({
    author: { name: 'José', email: 'jose@example.org', seconds: 12, zone: '+0100' },
    committer: { name: '', email: '', seconds: 0 },
    message: 'olé\n',
  });
});
