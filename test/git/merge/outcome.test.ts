/** Merges computed on objects come out as `git merge` in a checkout does, and say what kind of conflict each path has. */
import { chmodSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { textOf } from '../../../src/domain/byte-path.ts';
import { parseOid } from '../../../src/domain/oid.ts';
import { makeRepository, type TestRepository } from '../../support/repository.ts';
import { all, clean, conflicting, diverge, lines, mergingOf, remove, write } from './divergence.ts';

/** The tree of a real merge, or the paths it left unmerged with their stages. */
function realMerge(made: TestRepository, left: string, right: string) {
  made.git('checkout', '-q', '-f', '--detach', left);
  try {
    made.git('merge', '-q', '--no-edit', right);
    return { tree: made.git('rev-parse', 'HEAD^{tree}'), unmerged: [] };
  } catch {
    const staged = made.git('ls-files', '-u', '-z').split('\0').filter(Boolean);
    return {
      tree: undefined,
      unmerged: staged.map((line) => line.replace(/^(\d+) (\w+) (\d)\t(.*)~HEAD$/, '$1 $2 $3\t$4~')),
    };
  }
}

describe.each(Object.entries(conflicting))('%s', (_name, [start, ours, theirs, expected]) => {
  test('is recognised, with the entries git would leave', async () => {
    const { made, left, right } = diverge(start, ours, theirs);
    const { merging, repository } = await mergingOf(made);
    const before = fileCount(join(made.path, '.git/objects'));
    const unkept = await merging.merge(left, right, { keep: false });
    expect(fileCount(join(made.path, '.git/objects'))).toBe(before);
    const outcome = await merging.merge(left, right);
    expect(outcome).toEqual(unkept);
    if (outcome.kind !== 'conflict') throw new Error('clean');
    expect(outcome.messages.length).toBeGreaterThan(0);
    const found = outcome.conflicts.map(({ kind, path }) => `${kind} ${textOf(path).replace(/~.*/, '~')}`);
    expect(found.toSorted()).toEqual(expected);
    // The tree with the markers can be read.
    expect(await repository.listTree(outcome.tree, { recursive: true })).not.toHaveLength(0);
    const stages = outcome.conflicts.flatMap(({ path, ...sides }) =>
      [sides.base, sides.ours, sides.theirs].flatMap((entry, index) =>
        entry === undefined ? [] : [`${entry.mode} ${entry.oid} ${index + 1}\t${textOf(path).replace(/~.*/, '~')}`],
      ),
    );
    expect(stages.toSorted()).toEqual(realMerge(made, left, right).unmerged.toSorted());
  });
});

test('a changed mode against a changed kind of file', async () => {
  const { made, left, right } = diverge(
    write('f', lines()),
    all(remove('f'), (made) => made.write({ f: { link: 'elsewhere' } })),
    (made) => {
      chmodSync(join(made.path, 'f'), 0o755);
      made.write({ f: lines('theirs') });
    },
  );
  const { merging } = await mergingOf(made);
  const outcome = await merging.merge(left, right);
  if (outcome.kind !== 'conflict') throw new Error('clean');
  expect(new Set(outcome.conflicts.map(({ kind }) => kind))).toEqual(new Set(['mode']));
});

test.each(Object.entries(clean))('clean: %s', async (_name, [start, ours, theirs]) => {
  const { made, base, left, right } = diverge(start, ours, theirs);
  const { merging, repository } = await mergingOf(made);
  const outcome = await merging.merge(left, right);
  expect(outcome).toEqual({ kind: 'clean', tree: realMerge(made, left, right).tree });
  const tree = async (oid: typeof base) => (await repository.readCommit(oid)).tree;
  const ofTrees = await merging.mergeTrees(await tree(base), await tree(left), await tree(right));
  expect(ofTrees).toEqual(outcome);
  expect(made.git('fsck', '--strict', outcome.tree)).not.toContain('missing');
});

test('criss-cross histories merge as git merges them', async () => {
  const made = makeRepository({ files: { f: lines() } });
  const on = (branch: string) => made.git('switch', '-q', branch);
  made.git('branch', 'other');
  made.commit('left', { f: lines().replace('one', 'ONE') });
  on('other');
  made.commit('right', { f: lines().replace('five', 'FIVE') });
  made.git('branch', 'right');
  made.git('merge', '-q', '--no-edit', 'main');
  on('main');
  made.git('merge', '-q', '--no-edit', 'right');
  made.commit('left again', {
    f: lines().replace('one', 'ONE').replace('five', 'FIVE').replace('two', 'TWO'),
    a: 'a\n',
  });
  on('other');
  made.commit('right again', { b: 'b\n' });
  const [left, right] = ['main', 'other'].map((branch) => parseOid(made.git('rev-parse', branch)));
  if (left === undefined || right === undefined) throw new Error('no branches');
  const { merging } = await mergingOf(made);
  expect(await merging.merge(left, right)).toEqual({ kind: 'clean', tree: realMerge(made, left, right).tree });
});

test('histories without a common commit are refused', async () => {
  const made = makeRepository();
  const left = parseOid(made.git('rev-parse', 'HEAD'));
  made.git('switch', '-q', '--orphan', 'other');
  const right = parseOid(made.commit('another root', { g: 'g\n' }));
  const { merging } = await mergingOf(made);
  await expect(merging.merge(left, right)).rejects.toMatchObject({ kind: 'refused', code: 'unrelated-histories' });
});

test("a merge driver in the repository's configuration does not run", async () => {
  const { made, left, right } = diverge(
    all(write('.gitattributes', '* merge=evil\n'), write('f', lines())),
    write('f', lines().replace('one', 'ONE')),
    write('f', lines().replace('five', 'FIVE')),
  );
  const canary = join(made.directory, 'canary');
  made.git('config', 'merge.evil.driver', `touch ${canary}; cat %A`);
  made.git('config', 'merge.e=vil.driver', `touch ${canary}`);
  const { merging, surroundings } = await mergingOf(made);
  expect(await merging.merge(left, right)).toMatchObject({ kind: 'clean' });
  expect(() => statSync(canary)).toThrow();
  expect(readdirSync(surroundings.runtimeDirectory)).toEqual([]);
});

test('a repository whose path has a colon in it', async () => {
  const { made, left, right } = diverge(write('f', lines()), write('a', 'a\n'), write('b', 'b\n'));
  const path = join(made.directory, 'a:b "c"');
  made.git('clone', '-q', '--no-local', made.path, path);
  const { merging } = await mergingOf({ ...made, path });
  expect(await merging.merge(left, right)).toMatchObject({ kind: 'clean' });
});

function fileCount(directory: string): number {
  return readdirSync(directory, { recursive: true }).length;
}
