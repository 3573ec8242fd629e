/** A difference comes into the user's checkout as uncommitted changes, all of it or none of it. */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { textOf } from '../../../src/domain/byte-path.ts';
import { hostGit } from '../../../src/git/host-git.ts';
import { replaceFiles } from '../../../src/git/merge/replace-files.ts';
import { treeChanges } from '../../../src/git/merge/tree-changes.ts';
import { makeRepository } from '../../support/repository.ts';
import { type Fixture, fixtureOf, makeFixture } from './checkout-fixture.ts';

const lines = ['one', 'two', 'three', 'four', 'five'];
const text = (...changed: readonly (readonly [number, string])[]) =>
  `${lines.map((line, index) => changed.find(([at]) => at === index)?.[1] ?? line).join('\n')}\n`;
const files = { f: text(), g: 'g\n', 'd/x': 'x\n', 'd/y': 'y\n', gone: 'gone\n', old: text([0, 'OLD']) };

const read = ({ made }: Fixture, path: string) => readFileSync(join(made.path, path), 'utf8');
/** Everything that is git's: the real index, HEAD, references, configuration. */
const gitOf = (fixture: Fixture) => new Map([...fixture.picture()].filter(([path]) => path.startsWith('.git')));

test('every kind of change arrives, and the index does not know', async () => {
  const fixture = await makeFixture(files);
  const { made, merging, tip, commitOn } = fixture;
  const theirs = commitOn(tip('main'), {
    f: text([4, 'FIVE']),
    gone: null,
    'new/deep/file': 'new\n',
    run: { executable: '#!/bin/sh\n' },
    link: { link: 'f' },
    'd/x': null,
    'd/y': null,
    d: 'a file now\n',
    g: null,
    'g/inner': 'a directory now\n',
    old: null,
    renamed: text([0, 'OLD']),
    'naïve\tname': 'odd\n',
  });
  const before = gitOf(fixture);
  const paths = (await merging.applyToCheckout(tip('main'), theirs)).map(textOf);
  expect(paths.toSorted()).toEqual(
    [
      'd',
      'd/x',
      'd/y',
      'f',
      'g',
      'g/inner',
      'gone',
      'link',
      'naïve\tname',
      'new/deep/file',
      'old',
      'renamed',
      'run',
    ].sort(),
  );
  expect(gitOf(fixture)).toEqual(before);
  expect(read(fixture, 'f')).toBe(text([4, 'FIVE']));
  expect(existsSync(join(made.path, 'gone'))).toBe(false);
  expect(statSync(join(made.path, 'run')).mode & 0o111).not.toBe(0);
  expect(readlinkSync(join(made.path, 'link'))).toBe('f');
  expect(lstatSync(join(made.path, 'd')).isFile()).toBe(true);
  made.git('add', '-A');
  expect(made.git('write-tree')).toBe(made.git('rev-parse', `${theirs}^{tree}`));
});

test("the user's changes elsewhere and in the same file stay, staged ones too", async () => {
  const fixture = await makeFixture(files);
  const { made, merging, tip, commitOn } = fixture;
  const theirs = commitOn(tip('main'), { f: text([4, 'FIVE']), gone: null });
  made.write({ f: text([0, 'STAGED']), 'd/x': 'staged\n', g: 'mine\n', untracked: 'u\n' });
  made.git('add', 'f', 'd/x');
  made.write({ f: text([0, 'UNSTAGED']) });
  const before = gitOf(fixture);
  expect((await merging.applyToCheckout(tip('main'), theirs)).map(textOf)).toEqual(['f', 'gone']);
  expect(gitOf(fixture)).toEqual(before);
  expect(read(fixture, 'f')).toBe(text([0, 'UNSTAGED'], [4, 'FIVE']));
  expect(made.git('show', ':f')).toBe(text([0, 'STAGED']).trimEnd());
  expect(read(fixture, 'g')).toBe('mine\n');
  expect(read(fixture, 'd/x')).toBe('staged\n');
});

test('again and again, from what was applied last', async () => {
  const fixture = await makeFixture(files);
  const { made, merging, tip, commitOn } = fixture;
  const first = commitOn(tip('main'), { f: text([4, 'FIVE']), n: 'n\n' });
  const second = commitOn(first, { f: text([4, 'FIVE'], [2, 'THREE']), n: null, m: 'm\n' });
  await merging.applyToCheckout(tip('main'), first);
  made.write({ f: text([0, 'MINE'], [4, 'FIVE']) });
  expect((await merging.applyToCheckout(first, second)).map(textOf)).toEqual(['f', 'm', 'n']);
  expect(read(fixture, 'f')).toBe(text([0, 'MINE'], [2, 'THREE'], [4, 'FIVE']));
  expect(existsSync(join(made.path, 'n'))).toBe(false);
  const settled = fixture.picture();
  expect(await merging.applyToCheckout(first, second)).toEqual([]);
  expect(await merging.applyToCheckout(second, second)).toEqual([]);
  expect(fixture.picture()).toEqual(settled);
});

test('onto a branch that has moved on, following a rename there', async () => {
  const fixture = await makeFixture(files);
  const { made, merging, tip, commitOn } = fixture;
  const base = tip('main');
  const theirs = commitOn(base, { f: text([4, 'FIVE']) });
  made.git('mv', 'f', 'moved');
  made.commit('moved');
  made.write({ moved: text([0, 'MINE']) });
  expect((await merging.applyToCheckout(base, theirs)).map(textOf)).toEqual(['moved']);
  expect(read(fixture, 'moved')).toBe(text([0, 'MINE'], [4, 'FIVE']));
  expect(existsSync(join(made.path, 'f'))).toBe(false);
});

test("through the user's filters, both ways, with the attributes that arrive", async () => {
  const fixture = await makeFixture({ '.gitattributes': '*.up filter=up\n', 'a.up': 'one\ntwo\nthree\nfour\n' });
  const { made, merging, tip, commitOn } = fixture;
  made.git('config', 'filter.up.smudge', 'tr a-z A-Z');
  made.git('config', 'filter.up.clean', 'tr A-Z a-z');
  made.write({ 'a.up': 'MINE\nTWO\nTHREE\nFOUR\n' });
  const theirs = commitOn(tip('main'), {
    '.gitattributes': '*.up filter=up\n*.crlf eol=crlf\n',
    'a.up': 'one\ntwo\nthree\ntheirs\n',
    'b.crlf': 'line\n',
  });
  await merging.applyToCheckout(tip('main'), theirs);
  expect(read(fixture, 'a.up')).toBe('MINE\nTWO\nTHREE\nTHEIRS\n');
  expect(read(fixture, 'b.crlf')).toBe('line\r\n');
});

test('into a linked worktree, a subdirectory, a sparse checkout and an unborn branch', async () => {
  const { made, tip, commitOn } = await makeFixture(files);
  const theirs = commitOn(tip('main'), { f: text([4, 'FIVE']), 'd/x': 'theirs\n' });
  const linked = join(made.directory, 'linked');
  made.git('worktree', 'add', '-q', '--detach', linked);
  made.gitIn(linked, 'sparse-checkout', 'set', '--no-cone', '/f');
  const inLinked = await fixtureOf(made, linked);
  await inLinked.merging.applyToCheckout(tip('main'), theirs);
  expect(readFileSync(join(linked, 'f'), 'utf8')).toBe(text([4, 'FIVE']));
  expect(readFileSync(join(linked, 'd/x'), 'utf8')).toBe('theirs\n');
  expect(existsSync(join(linked, 'd/y'))).toBe(false);
  const below = await fixtureOf(made, join(made.path, 'd'));
  await below.merging.applyToCheckout(tip('main'), theirs);
  expect(made.git('status', '--porcelain')).toBe(' M d/x\n M f');

  const empty = makeRepository({ unborn: true });
  empty.git('fetch', '-q', made.path, `${theirs}:refs/heads/other`);
  const unborn = await fixtureOf(empty, empty.path);
  await unborn.merging.applyToCheckout(await unborn.repository.emptyTree(), theirs);
  expect(readFileSync(join(empty.path, 'f'), 'utf8')).toBe(text([4, 'FIVE']));
});

type Prepare = (fixture: Fixture) => void;
const write =
  (content: Readonly<Record<string, string>>): Prepare =>
  ({ made }) =>
    made.write(content);

const refused: Readonly<Record<string, readonly [code: string, files: readonly string[] | undefined, Prepare]>> = {
  'other words on the same line': ['apply-conflict', ['content f'], write({ f: text([4, 'MINE']) })],
  'the same, staged only': [
    'apply-conflict',
    ['content f'],
    ({ made }) => {
      made.write({ f: text([4, 'MINE']) });
      made.git('add', 'f');
    },
  ],
  'the same, in a file git is told to believe unchanged': [
    'apply-conflict',
    ['content f'],
    ({ made }) => {
      made.git('update-index', '--assume-unchanged', 'f');
      made.write({ f: text([4, 'MINE']) });
    },
  ],
  'a file deleted that changes': ['apply-conflict', ['modify/delete f'], ({ made }) => rmSync(join(made.path, 'f'))],
  'a file changed that goes': ['apply-conflict', ['modify/delete gone'], write({ gone: 'still here\n' })],
  'an untracked file in the way': ['apply-conflict', ['add/add run'], write({ run: 'mine\n' })],
  'an ignored file in the way': [
    'apply-conflict',
    ['add/add run'],
    ({ made }) => {
      made.write({ run: 'mine\n' });
      writeFileSync(join(made.path, '.git/info/exclude'), 'run\n');
    },
  ],
  'an untracked directory in the way': ['apply-conflict', ['file/directory run/a'], write({ 'run/a': 'mine\n' })],
  'an untracked file where a directory must be': ['apply-conflict', ['file/directory new'], write({ new: 'mine\n' })],
  'a link where a directory must be': [
    'apply-conflict',
    ['file/directory new'],
    ({ made }) => {
      mkdirSync(join(made.directory, 'outside'));
      symlinkSync(join(made.directory, 'outside'), join(made.path, 'new'));
    },
  ],
  'an untracked file in a directory that becomes a file': [
    'apply-conflict',
    ['file/directory d/z'],
    write({ 'd/z': 'mine\n' }),
  ],
  'unmerged entries': [
    'checkout-busy',
    undefined,
    ({ made }) => {
      made.write({ g: 'stashed\n' });
      made.git('stash', '-q');
      made.commit('meanwhile', { g: 'meanwhile\n' });
      expect(() => made.git('stash', 'pop', '-q')).toThrow();
    },
  ],
  'a merge in progress': [
    'checkout-busy',
    undefined,
    ({ made, tip }) => writeFileSync(join(made.path, '.git/MERGE_HEAD'), `${tip('main')}\n`),
  ],
};

describe.each(Object.entries(refused))('refused: %s', (_name, [code, named, prepare]) => {
  test('and every byte of the checkout is as before', async () => {
    const fixture = await makeFixture(files);
    const base = fixture.tip('main');
    const theirs = fixture.commitOn(base, {
      f: text([4, 'FIVE']),
      gone: null,
      'new/file': 'new\n',
      run: 'theirs\n',
      'd/x': null,
      'd/y': null,
      d: 'a file now\n',
    });
    prepare(fixture);
    const picture = fixture.picture();
    const error = await fixture.merging.applyToCheckout(base, theirs).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code });
    if (named !== undefined) {
      const { data } = error as { data: { files: { kind: string; path: string }[] } };
      expect(data.files.map(({ kind, path }) => `${kind} ${path}`)).toEqual(named);
    }
    expect(fixture.picture()).toEqual(picture);
  });
});

test('an untracked file that is already the same is no conflict', async () => {
  const { made, merging, tip, commitOn } = await makeFixture(files);
  const theirs = commitOn(tip('main'), { run: 'same\n', n: 'n\n' });
  made.write({ run: 'same\n' });
  expect((await merging.applyToCheckout(tip('main'), theirs)).map(textOf)).toEqual(['n']);
});

test('a submodule is not moved behind its back', async () => {
  const { made, merging, tip } = await makeFixture(files);
  made.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},sub`);
  made.git('commit', '-q', '-m', 'submodule');
  const base = tip('main');
  made.git('update-index', '--add', '--cacheinfo', `160000,${'2'.repeat(40)},sub`);
  made.git('commit', '-q', '-m', 'submodule moved');
  const theirs = tip('main');
  made.git('reset', '-q', '--soft', base);
  made.git('update-index', '--cacheinfo', `160000,${'1'.repeat(40)},sub`);
  await expect(merging.applyToCheckout(base, theirs)).rejects.toMatchObject({
    code: 'apply-conflict',
    data: { files: [{ path: 'sub', kind: 'submodule' }] },
  });
});

test('a failure in the middle puts everything back', async () => {
  const fixture = await makeFixture({ ...files, 'z/last': 'z\n' });
  const { made, merging, tip, commitOn } = fixture;
  const theirs = commitOn(tip('main'), {
    gone: null,
    'd/x': null,
    'd/y': null,
    'a/new': 'a\n',
    f: text([4, 'FIVE']),
    'z/last': 'theirs\n',
  });
  const picture = fixture.picture();
  const git = hostGit(fixture.repository.commonDirectory, fixture.surroundings);
  const changes = await treeChanges(git, {}, tip('main'), theirs);
  const staging = { files: join(made.directory, 'files'), replaced: join(made.directory, 'replaced') };
  for (const directory of [staging.files, staging.replaced]) mkdirSync(directory);
  mkdirSync(join(staging.files, 'a'));
  writeFileSync(join(staging.files, 'a/new'), 'a\n');
  writeFileSync(join(staging.files, 'f'), text([4, 'FIVE']));
  // z/last was never staged: moving it in fails after all the others.
  await expect(replaceFiles(made.path, staging, changes, '/')).rejects.toMatchObject({ code: 'ENOENT' });
  expect(fixture.picture()).toEqual(picture);
  expect(await merging.applyToCheckout(tip('main'), theirs)).toHaveLength(6);
});

test('where there is no checkout, or an environment has it', async () => {
  const { made, tip, surroundings, repository } = await makeFixture(files);
  const bare = join(made.directory, 'bare.git');
  made.git('clone', '-q', '--bare', made.path, bare);
  const inBare = await fixtureOf(made, bare);
  await expect(inBare.merging.applyToCheckout(tip('main'), tip('main'))).rejects.toMatchObject({ code: 'no-checkout' });
  const tree = join(surroundings.dataDirectory, repository.id, 'name', 'tree');
  made.git('worktree', 'add', '-q', '--detach', tree);
  const inTree = await fixtureOf(made, tree);
  await expect(inTree.merging.applyToCheckout(tip('main'), tip('main'))).rejects.toMatchObject({
    code: 'inside-environment',
  });
});
