/** Work that is in a branch is found there however it came in, and work that is not, or not any more, never is. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseOid } from '../../../src/domain/oid.ts';
import { lookInTarget } from '../../../src/environment/merged/in-target.ts';
import type { Workplace } from '../../../src/environment/workplace.ts';
import { createMerging } from '../../../src/git/merge/merging.ts';
import { openRepository } from '../../../src/git/native/open.ts';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import { type FileContent, makeRepository, type TestRepository } from '../../support/repository.ts';

type Files = Readonly<Record<string, FileContent>>;

const numbered = (changes: Readonly<Record<number, string>> = {}, count = 30) =>
  Array.from({ length: count }, (_, index) => `${changes[index + 1] ?? `line ${index + 1}`}\n`).join('');

const python = (indent: string) => `def f(x):\n    for y in x:\n        g(y)\n${indent}h(x)\n`;

interface Scene extends TestRepository {
  /** Commits on the environment's branch. */
  work(message: string, files: Files): string;
  /** Commits on the target. */
  target(message: string, files: Files): string;
  /** Checks the target out. */
  onTarget(...args: readonly string[]): void;
  onWork(...args: readonly string[]): void;
  look(head?: string): Promise<string>;
}

/** The environment starts at the first commit, from which the target goes on as well. */
function scene(files: Files = { 'a.txt': numbered(), 'b.txt': numbered() }): Scene {
  const made = makeRepository({ files });
  const base = made.git('rev-parse', 'HEAD');
  made.git('branch', 'work');
  const on =
    (branch: string) =>
    (...args: readonly string[]) => {
      made.git('checkout', '-q', branch);
      if (args.length > 0) made.git(...args);
    };
  const onTarget = on('main');
  const onWork = on('work');
  return {
    ...made,
    onTarget,
    onWork,
    work: (message, changed) => {
      onWork();
      return made.commit(message, changed);
    },
    target: (message, changed) => {
      onTarget();
      return made.commit(message, changed);
    },
    async look(head = 'work') {
      const surroundings = surroundingsOf(made.path, made.env);
      const repository = await openRepository(surroundings, made.path);
      const workplace = { repository, merging: createMerging(surroundings, repository) } as unknown as Workplace;
      const oid = (revision: string) => parseOid(made.git('rev-parse', revision));
      const at = { tip: oid('work'), base: parseOid(base), head: oid(head), record: oid('work') };
      const found = await lookInTarget(workplace, { ...at, outside: undefined, applied: undefined }, oid('main'));
      if (found === undefined || found === 'reverted') return found ?? 'not there';
      const { by, commit, revertedFiles: back } = found;
      const where = commit === oid('main') ? by : `${by} ${made.git('log', '-1', '--format=%s', commit)}`;
      return back === undefined ? where : `${where}, ${back.count} of ${back.of} reverted`;
    },
  };
}

const squash = (made: Scene, message = 'squash') => {
  made.onTarget('merge', '-q', '--squash', 'work');
  made.git('commit', '-q', '-m', message);
};

describe('found', () => {
  it('merged', async () => {
    const made = scene();
    made.work('w', { 'a.txt': numbered({ 3: 'three' }) });
    made.target('t', { 'c.txt': 'c\n' });
    made.onTarget('merge', '-q', '--no-ff', '--no-edit', 'work');
    expect(await made.look()).toBe('ancestry');
    made.target('later', { 'a.txt': numbered({ 3: 'drei' }) });
    expect(await made.look()).toBe('ancestry');
  });

  it('squashed, nothing else', async () => {
    const made = scene();
    made.work('w1', { 'a.txt': numbered({ 3: 'three' }) });
    made.work('w2', { 'a.txt': numbered({ 3: 'three', 20: 'twenty' }), 'n.txt': 'new\n' });
    squash(made);
    expect(await made.look()).toBe('same-tree');
  });

  it('squashed beside other changes', async () => {
    const made = scene();
    made.work('w', { 'a.txt': numbered({ 3: 'three' }) });
    made.target('t', { 'b.txt': numbered({ 1: 'one' }) });
    squash(made);
    made.target('t2', { 'a.txt': numbered({ 3: 'three', 25: 'later' }) });
    expect(await made.look()).toBe('content');
  });

  it('squashed, then the same lines moved on', async () => {
    const made = scene();
    made.work('w', { 'a.txt': numbered({ 3: 'three' }), 'n.txt': 'new\n' });
    made.target('t', { 'b.txt': numbered({ 1: 'one' }) });
    squash(made);
    made.target('moved', { 'a.txt': numbered({ 3: 'three and more' }) });
    made.target('again', { 'a.txt': numbered({ 2: 'two', 3: 'three and more' }), 'n.txt': 'newer\n' });
    expect(await made.look()).toBe('moved-on squash');
  });

  it('squashed on a branch that was merged', async () => {
    const made = scene();
    made.work('w', { 'a.txt': numbered({ 3: 'three' }) });
    made.git('checkout', '-q', '-b', 'integration', 'main');
    made.git('merge', '-q', '--squash', 'work');
    made.git('commit', '-q', '-m', 'squash');
    made.target('t', { 'c.txt': 'c\n' });
    made.onTarget('merge', '-q', '--no-ff', '-m', 'integrate', 'integration');
    made.target('moved', { 'a.txt': numbered({ 3: 'three and more' }) });
    expect(await made.look()).toBe('moved-on integrate');
  });

  it('rebased', async () => {
    const made = scene();
    made.work('w1', { 'a.txt': numbered({ 3: 'three' }) });
    made.work('w2', { 'a.txt': numbered({ 3: 'three', 20: 'twenty' }) });
    made.target('t', { 'b.txt': numbered({ 1: 'one' }) });
    made.onTarget('cherry-pick', 'main~1..work');
    expect(await made.look()).toBe('content');
    made.target('moved', { 'a.txt': numbered({ 3: 'three and more', 20: 'twenty' }) });
    expect(await made.look()).toBe('moved-on w2');
  });

  it('picked commit by commit, the target moving on in between', async () => {
    const made = scene();
    const first = made.work('w1', { 'a.txt': numbered({ 3: 'three' }) });
    const second = made.work('w2', { 'b.txt': numbered({ 20: 'twenty' }) });
    made.target('t', { 'c.txt': 'c\n' });
    made.onTarget('cherry-pick', first);
    made.target('moved', { 'a.txt': numbered({ 3: 'three and more' }) });
    made.onTarget('cherry-pick', second);
    expect(await made.look()).toBe('commits');
  });

  it('checkpoints after the last commit that came in as well', async () => {
    const made = scene();
    const commit = made.work('w1', { 'a.txt': numbered({ 3: 'three' }) });
    made.work('checkpoint', { 'b.txt': numbered({ 20: 'twenty' }) });
    squash(made);
    made.target('moved', { 'a.txt': numbered({ 3: 'three and more' }) });
    expect(await made.look(commit)).toBe('moved-on squash');
  });

  it('reverted, and the revert reverted', async () => {
    const made = scene();
    made.work('w', { 'a.txt': numbered({ 3: 'three' }) });
    made.target('t', { 'c.txt': 'c\n' });
    made.onTarget('merge', '-q', '--no-ff', '--no-edit', 'work');
    made.git('revert', '--no-edit', '-m', '1', 'HEAD');
    made.git('revert', '--no-edit', 'HEAD');
    expect(await made.look()).toBe('ancestry');
  });

  it('merged with the target more than once on the way', async () => {
    const made = scene();
    made.work('w1', { 'a.txt': numbered({ 3: 'three' }) });
    made.target('t', { 'b.txt': numbered({ 1: 'one' }) });
    made.onWork('merge', '-q', '--no-edit', 'main');
    made.work('w2', { 'a.txt': numbered({ 3: 'three', 20: 'twenty' }) });
    made.target('t2', { 'c.txt': 'c\n' });
    squash(made);
    expect(await made.look()).toBe('content');
    made.target('moved', { 'a.txt': numbered({ 3: 'drei', 20: 'twenty' }) });
    expect(await made.look()).toBe('moved-on squash');
  });
});

describe('reverted in part', () => {
  const both = { 'a.txt': numbered({ 3: 'three' }), 'b.txt': numbered({ 20: 'twenty' }) };
  const merge = (made: Scene) => made.onTarget('merge', '-q', '--no-ff', '--no-edit', 'work');

  it('one file of a merge, and then the other', async () => {
    const made = scene();
    made.work('w', both);
    made.target('t', { 'c.txt': 'c\n' });
    merge(made);
    made.target('back', { 'b.txt': numbered() });
    expect(await made.look()).toBe('ancestry, 1 of 2 reverted');
    made.target('back too', { 'a.txt': numbered() });
    expect(await made.look()).toBe('reverted');
  });

  it('one file of a fast-forward', async () => {
    const made = scene();
    made.work('w', both);
    made.onTarget('merge', '-q', '--ff-only', 'work');
    made.target('back', { 'a.txt': numbered() });
    expect(await made.look()).toBe('ancestry, 1 of 2 reverted');
  });

  it('one place of two in a file is not the file', async () => {
    const made = scene();
    made.work('w', { 'a.txt': numbered({ 3: 'three', 20: 'twenty' }) });
    merge(made);
    made.target('back', { 'a.txt': numbered({ 3: 'three' }) });
    expect(await made.look()).toBe('ancestry');
  });

  it('whatever else was done in the file', async () => {
    const made = scene();
    made.work('w', both);
    merge(made);
    made.target('another line', { 'a.txt': numbered({ 3: 'three', 20: 'later' }) });
    expect(await made.look()).toBe('ancestry');
    made.target('back', { 'a.txt': numbered({ 20: 'later' }) });
    expect(await made.look()).toBe('ancestry, 1 of 2 reverted');
    made.target('the same lines, otherwise', { 'b.txt': numbered({ 20: 'zwanzig' }) });
    expect(await made.look()).toBe('ancestry, 1 of 2 reverted');
  });

  it('new files that are deleted, not those that are renamed; deleted files that are there again', async () => {
    const made = scene();
    made.onWork('rm', '-q', 'b.txt');
    made.work('w', { 'n.txt': 'new\n'.repeat(9), 'o.txt': 'other\n'.repeat(9) });
    merge(made);
    made.onTarget('mv', 'n.txt', 'm.txt');
    made.target('renamed', {});
    expect(await made.look()).toBe('ancestry');
    made.onTarget('rm', '-q', 'o.txt');
    made.target('deleted', {});
    expect(await made.look()).toBe('ancestry, 1 of 3 reverted');
    made.target('again', { 'b.txt': numbered() });
    expect(await made.look()).toBe('ancestry, 2 of 3 reverted');
  });

  it('what came in with another branch', async () => {
    const made = scene();
    made.work('w', both);
    made.git('checkout', '-q', '-b', 'integration', 'main');
    made.commit('of integration', { 'i.txt': 'i\n' });
    made.git('merge', '-q', '--no-ff', '--no-edit', 'work');
    made.target('t', { 'c.txt': 'c\n' });
    made.onTarget('merge', '-q', '--no-ff', '-m', 'integrate', 'integration');
    made.target('back', { 'b.txt': numbered() });
    expect(await made.look()).toBe('ancestry, 1 of 2 reverted');
    made.target('back too', { 'a.txt': numbered() });
    expect(await made.look()).toBe('reverted');
  });
});

describe('not found', () => {
  it('never merged', async () => {
    const made = scene();
    made.work('w', { 'a.txt': numbered({ 3: 'three' }) });
    made.target('t', { 'a.txt': numbered({ 3: 'drei' }) });
    expect(await made.look()).toBe('not there');
  });

  it('merged, and more done since', async () => {
    const made = scene();
    made.work('w', { 'a.txt': numbered({ 3: 'three' }) });
    made.onTarget('merge', '-q', '--no-ff', '--no-edit', 'work');
    made.work('w2', { 'a.txt': numbered({ 3: 'three!' }) });
    expect(await made.look()).toBe('not there');
  });

  it('a merge that was reverted', async () => {
    const made = scene();
    made.work('w', { 'a.txt': numbered({ 3: 'three' }), 'n.txt': 'new\n' });
    made.target('t', { 'c.txt': 'c\n' });
    made.onTarget('merge', '-q', '--no-ff', '--no-edit', 'work');
    made.git('revert', '--no-edit', '-m', '1', 'HEAD');
    made.target('later', { 'c.txt': 'c2\n' });
    expect(await made.look()).toBe('reverted');
  });

  it('a fast-forward that was reverted', async () => {
    const made = scene();
    made.work('w', { 'a.txt': numbered({ 3: 'three' }) });
    made.onTarget('merge', '-q', '--ff-only', 'work');
    made.git('revert', '--no-edit', 'HEAD');
    expect(await made.look()).toBe('reverted');
  });

  it('a merge that took nothing', async () => {
    const made = scene();
    made.work('w', { 'a.txt': numbered({ 3: 'three' }) });
    made.target('t', { 'c.txt': 'c\n' });
    made.onTarget('merge', '-q', '-s', 'ours', '--no-edit', 'work');
    made.target('later', { 'c.txt': 'c2\n' });
    expect(await made.look()).toBe('reverted');
  });

  it('a squash that was reverted, and other things done to the same lines since', async () => {
    const made = scene();
    made.work('w', { 'a.txt': numbered({ 3: 'three' }) });
    squash(made);
    made.git('revert', '--no-edit', 'HEAD');
    expect(await made.look()).toBe('not there');
    made.target('moved', { 'a.txt': numbered({ 3: 'something else' }) });
    expect(await made.look()).toBe('not there');
  });

  it('a part of the commits', async () => {
    const made = scene();
    const first = made.work('w1', { 'a.txt': numbered({ 3: 'three' }) });
    made.work('w2', { 'b.txt': numbered({ 20: 'twenty' }) });
    made.onTarget('cherry-pick', first);
    made.target('moved', { 'a.txt': numbered({ 3: 'three and more' }) });
    expect(await made.look()).toBe('not there');
  });

  it('a part of the files', async () => {
    const made = scene();
    made.work('w', { 'a.txt': numbered({ 3: 'three' }), 'b.txt': numbered({ 20: 'twenty' }) });
    made.target('part', { 'a.txt': numbered({ 3: 'three' }) });
    made.target('moved', { 'a.txt': numbered({ 3: 'three and more' }) });
    expect(await made.look()).toBe('not there');
  });

  it('a squash of which one file was reverted while another moved on', async () => {
    const made = scene();
    made.work('w', { 'a.txt': numbered({ 3: 'three' }), 'b.txt': numbered({ 20: 'twenty' }) });
    squash(made);
    made.target('moved', { 'a.txt': numbered({ 3: 'three and more' }) });
    made.target('reverted', { 'b.txt': numbered() });
    expect(await made.look()).toBe('not there');
  });

  it('a squash of which one place was reverted while another in the same file moved on', async () => {
    const made = scene();
    made.work('w', { 'a.txt': numbered({ 3: 'three', 25: 'twenty-five' }) });
    squash(made);
    made.target('moved', { 'a.txt': numbered({ 3: 'three and more', 25: 'twenty-five' }) });
    made.target('reverted', { 'a.txt': numbered({ 3: 'three and more' }) });
    expect(await made.look()).toBe('not there');
  });

  it('a target that differs in white space only', async () => {
    const made = scene({ 'f.py': python('    ') });
    made.work('w', { 'f.py': python('        ') });
    made.target('t', { 'f.py': python('            ') });
    expect(await made.look()).toBe('not there');
  });

  it('another content of a binary file', async () => {
    const made = scene({ 'x.bin': Buffer.from([0, 1]) });
    made.work('w', { 'x.bin': Buffer.from([0, 2]) });
    made.target('t', { 'x.bin': Buffer.from([0, 3]) });
    expect(await made.look()).toBe('not there');
  });

  it('a mode that was not taken over', async () => {
    const made = scene({ 'tool.sh': '#!/bin/sh\n' });
    made.onWork();
    rmSync(join(made.path, 'tool.sh'));
    made.work('w', { 'tool.sh': { executable: '#!/bin/sh\necho\n' } });
    made.target('t', { 'tool.sh': '#!/bin/sh\necho\n' });
    expect(await made.look()).toBe('not there');
  });
});

it('the user’s configuration of diffs and merges changes nothing', async () => {
  const made = scene();
  made.work('w', { 'a.txt': numbered({ 3: 'three' }), 'n.txt': 'new\n' });
  made.target('t', { 'b.txt': numbered({ 1: 'one' }) });
  squash(made);
  made.target('moved', { 'a.txt': numbered({ 3: 'three and more' }) });
  const settings = {
    'diff.algorithm': 'patience',
    'diff.context': '0',
    'diff.noprefix': 'true',
    'diff.mnemonicPrefix': 'true',
    'diff.external': 'false',
    'diff.renames': 'copies',
    'diff.orderFile': '/nonexistent',
    'diff.ignoreSubmodules': 'all',
    'diff.odd.textconv': 'wc -c',
    'diff.odd.command': 'false',
    'core.whitespace': '-trailing-space',
    'core.attributesFile': join(made.directory, 'attributes'),
    'merge.conflictStyle': 'diff3',
    'merge.renames': 'false',
    'color.ui': 'always',
  };
  for (const [key, value] of Object.entries(settings)) made.git('config', key, value);
  made.write({ '../attributes': '*.txt diff=odd -text\n', '.git/info/attributes': '*.txt diff=odd\n' });
  expect(await made.look()).toBe('moved-on squash');
});
