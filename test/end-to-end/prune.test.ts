/** Clearing away: exactly what is done with goes, as the dry run said, and everything that went can be had again. */
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { libraryIn } from '../support/library.ts';
import { rounds } from '../support/random.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';

interface Answer {
  readonly pruned: readonly { readonly kind: string; readonly name: string; readonly trash: string | null }[];
  readonly kept: readonly { readonly name: string; readonly reason: string }[];
}

const numbered = (changes: Readonly<Record<number, string>> = {}) =>
  Array.from({ length: 20 }, (_, index) => `${changes[index + 1] ?? `line ${index + 1}`}\n`).join('');

it('removes what is merged in any way, and leaves everything else alone', async () => {
  const repository = makeRepository({ files: { 'a.txt': numbered(), 'b.txt': numbered() } });
  const { coppice, inside, create, data } = libraryIn(repository);
  const names = ['merged', 'squashed', 'open', 'fresh', 'branched', 'busy', 'held'];
  await create(...names);
  await inside('merged', 'echo m > m.txt');
  await inside('squashed', 'sed -i s/^line.2$/two/ a.txt; git commit -qam two; sed -i s/^line.5$/five/ a.txt');
  await inside('open', 'echo o > o.txt');
  await inside(
    'branched',
    'git switch -qc side; echo s > s.txt; git add .; git commit -qm s; git switch -q -; echo b > b2.txt',
  );
  await inside('busy', 'echo b > busy.txt');
  await inside('held', 'echo h > h.txt');
  for (const name of ['merged', 'branched', 'busy', 'held']) await coppice.merge({ name });
  await coppice.merge({ name: 'squashed', squash: true });
  repository.commit('moved on', { 'a.txt': numbered({ 2: 'two and more', 5: 'five' }) });
  writeFileSync(join(data(), 'held/tree/big.bin'), Buffer.alloc(12 * 2 ** 20));
  const waits = 'until test -e stop; do sleep 0.1; done';
  const exec = inside('busy', waits);
  const execs = join(repository.path, '.git/coppice/environments/busy/execs');
  await eventually(() => readdirSync(execs).length === 1);
  const dry = (await coppice.prune({ dryRun: true })) as Answer;
  expect(dry.pruned.map(({ name }) => name)).toEqual(['merged', 'squashed']);
  expect((await coppice.list({})).environments).toHaveLength(names.length);
  const { pruned, kept } = (await coppice.prune({})) as Answer;
  expect(pruned.map(({ name, trash }) => [name, trash !== null])).toEqual([
    ['merged', true],
    ['squashed', true],
  ]);
  expect(Object.fromEntries(kept.map(({ name, reason }) => [name, reason]))).toEqual({
    branched: 'it has another branch with work, side',
    busy: `sh -ec '${waits}' is running in it`,
    fresh: 'nothing was changed in it yet',
    held: 'it holds 1 changed files that are on no branch',
    open: 'it has work that is not in main',
  });
  writeFileSync(join(data(), 'busy/tree/stop'), '');
  await exec;
  await coppice.restore({ name: 'squashed' });
  expect(readFileSync(join(data(), 'squashed/tree/a.txt'), 'utf8')).toBe(numbered({ 2: 'two', 5: 'five' }));
  repository.git('fsck', '--strict', '--no-dangling');
});

it('completes what was interrupted and saves what came since; takes nothing that is somebody else’s', async () => {
  const repository = makeRepository();
  const { coppice, inside, create, data } = libraryIn(repository);
  await create('gone', 'stays');
  await inside('gone', 'echo g > g.txt');
  cpSync(join(data(), 'gone'), join(repository.directory, 'copy'), { recursive: true, verbatimSymlinks: true });
  await coppice.remove({ name: 'gone', force: true });
  // A removal that was killed between saving and deleting, an hour ago; and then somebody wrote another file.
  renameSync(join(repository.directory, 'copy'), join(data(), 'gone'));
  writeFileSync(join(data(), 'gone/tree/since.txt'), 'written since\n');
  const [ref = ''] = repository.git('for-each-ref', '--format=%(refname)', 'refs/coppice/trash/gone').split('\n');
  const parents = repository.git('log', '-1', '--format=%P', ref).split(' ');
  const old = repository.git(
    ...['commit-tree', `${ref}^{tree}`, ...parents.flatMap((parent) => ['-p', parent]), '-m', 'remove gone'],
  );
  repository.git('update-ref', ref, old);
  // A worktree of the user's with a name like ours, on a disk that is away; and a folder nobody knows.
  repository.git('worktree', 'add', '-q', '--detach', join(repository.directory, 'disk/coppice-mine'));
  rmSync(join(repository.directory, 'disk'), { recursive: true });
  mkdirSync(join(data(), 'unknown/tree'), { recursive: true });
  writeFileSync(join(data(), 'unknown/.whole'), '');
  writeFileSync(join(data(), 'unknown/tree/precious.txt'), 'p\n');
  mkdirSync(join(repository.path, '.git/coppice/environments/left'), { recursive: true });
  const { pruned, kept } = (await coppice.prune({})) as Answer;
  expect(pruned).toMatchObject([
    { kind: 'removal', name: 'gone' },
    { kind: 'cache', name: expect.stringContaining('/left') },
  ]);
  expect(kept.map(({ name }) => name)).toEqual(['stays', 'unknown']);
  expect(existsSync(join(data(), 'gone'))).toBe(false);
  expect(readFileSync(join(data(), 'unknown/tree/precious.txt'), 'utf8')).toBe('p\n');
  expect(existsSync(join(repository.path, '.git/worktrees/coppice-mine'))).toBe(true);
  await coppice.restore({ name: 'gone' });
  expect(readFileSync(join(data(), 'gone/tree/since.txt'), 'utf8')).toBe('written since\n');
});

it('deletes trash for good only when asked and only what is old enough', async () => {
  const repository = makeRepository();
  const { coppice, create } = libraryIn(repository);
  await create('one');
  await coppice.remove({ name: 'one' });
  const trash = () => repository.git('for-each-ref', 'refs/coppice/trash');
  await coppice.prune({ olderThan: '0s' });
  await expect(coppice.prune({ trash: true })).rejects.toMatchObject({ code: 'age-needed' });
  await coppice.prune({ trash: true, olderThan: '1d' });
  await coppice.prune({ trash: true, olderThan: '2999-01-01', dryRun: true });
  expect(trash()).not.toBe('');
  await coppice.prune({ trash: true, olderThan: '2999-01-01' });
  expect(trash()).toBe('');
});

interface Act extends Pick<ReturnType<typeof libraryIn>, 'coppice' | 'inside'> {
  readonly repository: TestRepository;
  readonly tree: string;
  readonly name: string;
  readonly count: number;
  /** Changes a line that is this environment's alone. */
  readonly line: string;
}

const actions = {
  edit: ({ inside, name, line }: Act) => inside(name, line),
  commit: ({ inside, name, line, count }: Act) => inside(name, `${line}; git commit -qam ${count}`),
  amend: ({ inside, name, line, count }: Act) => inside(name, `${line}; git commit -qa --amend -m ${count}`),
  branch: ({ inside, name, count }: Act) => inside(name, `git switch -qc b${count}; echo ${count} > n${count}.txt`),
  'edit outside': async ({ tree, count }: Act) => writeFileSync(join(tree, `o${count}.txt`), `${count}\n`),
  'move on': async ({ repository, count }: Act) => void repository.commit('on', { [`t${count}.txt`]: `${count}\n` }),
  revert: async ({ repository }: Act) => void repository.git('revert', '--no-edit', '-m1', 'HEAD'),
  merge: async ({ coppice, name }: Act) => void (await coppice.merge({ name })),
  squash: async ({ coppice, name }: Act) => void (await coppice.merge({ name, squash: true })),
};

const step = fc.constantFrom(...(Object.keys(actions) as (keyof typeof actions)[]));

it('loses no commit and no file, whatever was done before', async () => {
  const walk = fc.array(fc.tuple(fc.constantFrom('x', 'y'), step), { minLength: 5, maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(walk, async (steps) => {
      const repository = makeRepository({ files: { 'a.txt': numbered() } });
      const { coppice, inside, create, data } = libraryIn(repository);
      await create('x', 'y');
      let count = 0;
      const act = async (name: string, what: (typeof steps)[number][1]) => {
        count += 1;
        const line = `sed -i ${name === 'x' ? 3 : 12}s/.*/${name}${count}/ a.txt`;
        await actions[what]({ repository, coppice, tree: join(data(), name, 'tree'), name, count, line, inside });
      };
      // What cannot be done just then (a conflict, nothing to revert) is not done.
      for (const [name, what] of steps) await act(name, what).catch(() => void repository.git('reset', '-q', '--hard'));
      const commits = repository.git('rev-list', '--all').split('\n');
      const files = ['x', 'y'].flatMap((name) => blobsIn(join(data(), name, 'tree')));
      await coppice.prune({ unchanged: true });
      const reachable = new Set(
        repository
          .git('rev-list', '--objects', '--all')
          .split('\n')
          .map((line) => line.slice(0, 40)),
      );
      const there = ['x', 'y'].flatMap((name) => blobsIn(join(data(), name, 'tree')));
      expect(commits.filter((oid) => !reachable.has(oid))).toEqual([]);
      expect(files.filter((oid) => !reachable.has(oid) && !there.includes(oid))).toEqual([]);
      repository.git('fsck', '--strict', '--no-dangling');
    }),
    { numRuns: rounds(3) },
  );
});

/** Names of the files' contents as git would give them. */
function blobsIn(tree: string): readonly string[] {
  if (!existsSync(tree)) return [];
  return readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== '.git')
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)))
    .map((content) => createHash('sha1').update(`blob ${content.length}\0`).update(content).digest('hex'));
}
