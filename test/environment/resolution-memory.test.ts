/** Remembered resolutions, on real git: what git's own rerere makes of them, variants, and many at once. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parseOid } from '../../src/domain/oid.ts';
import { listRemembered, recall, remember } from '../../src/environment/resolution/memory.ts';
import { withResolutions } from '../../src/environment/resolution/use.ts';
import type { Workplace } from '../../src/environment/workplace.ts';
import { mergingOf } from '../git/merge/divergence.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';

const text = (line: string, end = 'end') => `start\none\n${line}\nthree\nfour\nfive\nsix\nseven\n${end}\n`;

/** What memory needs of a workplace. */
async function workplaceOf(made: TestRepository): Promise<Workplace> {
  const { repository, merging } = await mergingOf(made);
  return { repository, merging } as unknown as Workplace;
}

/** A commit with these files on what `from` names. */
function commitOn(made: TestRepository, from: string, files: Readonly<Record<string, string>>) {
  made.git('checkout', '-q', '-f', '--detach', from);
  return parseOid(made.commit('change', files));
}

/** A merge commit of two with these files, as somebody resolved it. */
async function resolved(made: TestRepository, ours: string, theirs: string, files: Readonly<Record<string, string>>) {
  made.git('checkout', '-q', '-f', '--detach', ours);
  expect(() => made.git('merge', '-q', theirs)).toThrow();
  made.commit('resolved', files);
  return (await mergingOf(made)).repository.readCommit(parseOid(made.git('rev-parse', 'HEAD')));
}

async function recalled(workplace: Workplace, ours: string, theirs: string) {
  const outcome = await workplace.merging.merge(parseOid(ours), parseOid(theirs), { style: 'zdiff3' });
  if (outcome.kind === 'clean') throw new Error('clean');
  return (await recall(workplace, outcome)).map(({ path, content }) => [path as string, content.toString()]);
}

describe.each(['sha1', 'sha256'] as const)('with %s', (objectFormat) => {
  it('git’s own rerere resolves with what we remember, once it has it in its cache', async () => {
    const made = makeRepository({ files: { 'a.txt': text('two') }, objectFormat });
    const ours = commitOn(made, 'main', { 'a.txt': text('OURS') });
    const theirs = commitOn(made, 'main', { 'a.txt': text('THEIRS') });
    const merge = await resolved(made, ours, theirs, { 'a.txt': text('BOTH') });
    expect(await remember(await workplaceOf(made), 'one', merge)).toEqual(['a.txt']);
    const cache = join(made.path, '.git/rr-cache');
    mkdirSync(cache);
    const stored = execFileSync('git', ['archive', 'refs/coppice/resolutions'], { cwd: made.path, env: made.env });
    execFileSync('tar', ['-x', '-C', cache], { input: stored });
    made.git('config', 'rerere.enabled', 'true');
    made.git('config', 'merge.conflictStyle', 'zdiff3');
    // The other way round, and in other surroundings.
    const moved = commitOn(made, theirs, { 'a.txt': text('THEIRS', 'another end') });
    expect(() => made.git('merge', '-q', ours)).toThrow();
    expect(readFileSync(join(made.path, 'a.txt'), 'utf8')).toBe(text('BOTH', 'another end'));
    expect(await recalled(await workplaceOf(made), moved, ours)).toEqual([['a.txt', text('BOTH', 'another end')]]);
  });
});

describe('a store of resolutions', () => {
  it('keeps what several remember at the same time', async () => {
    const paths = ['a', 'b', 'c', 'd'];
    const all = (line: string) => Object.fromEntries(paths.map((path) => [path, text(`${line} of ${path}`)]));
    const made = makeRepository({ files: all('base') });
    const merges = [];
    for (const path of paths) {
      const ours = commitOn(made, 'main', { [path]: text(`ours of ${path}`) });
      const theirs = commitOn(made, 'main', { [path]: text(`theirs of ${path}`) });
      merges.push(await resolved(made, ours, theirs, { [path]: text(`both of ${path}`) }));
    }
    const workplace = await workplaceOf(made);
    await Promise.all(merges.map((merge) => remember(workplace, 'one', merge)));
    expect((await listRemembered(workplace)).map((each) => each.paths)).toEqual(paths.map((path) => [path]));
    const before = made.git('rev-parse', 'refs/coppice/resolutions');
    for (const merge of merges) await remember(workplace, 'one', merge);
    expect(made.git('rev-parse', 'refs/coppice/resolutions')).toBe(before);
  });

  it('has variants where the same sides meet in other surroundings, and the last word where they are the same', async () => {
    const made = makeRepository({ files: { 'a.txt': text('two'), 'b.txt': 'x\ntwo\n' } });
    const workplace = await workplaceOf(made);
    const side = (path: string, line: string, content: (line: string) => string) =>
      commitOn(made, 'main', { [path]: content(line) });
    const pair = (path: string, content: (line: string) => string) =>
      [side(path, 'OURS', content), side(path, 'THEIRS', content)] as const;
    const [ours, theirs] = pair('a.txt', text);
    const [left, right] = pair('b.txt', (line) => `x\n${line}\n`);
    await remember(workplace, 'one', await resolved(made, ours, theirs, { 'a.txt': text('FIRST') }));
    await remember(workplace, 'one', await resolved(made, left, right, { 'b.txt': 'y\nSECOND\n' }));
    expect(await listRemembered(workplace)).toMatchObject([{ paths: ['a.txt', 'b.txt'] }]);
    expect(await recalled(workplace, ours, theirs)).toEqual([['a.txt', text('FIRST')]]);
    expect(await recalled(workplace, left, right)).toEqual([['b.txt', 'y\nSECOND\n']]);
    await remember(workplace, 'two', await resolved(made, ours, theirs, { 'a.txt': text('BETTER') }));
    expect(await recalled(workplace, ours, theirs)).toEqual([['a.txt', text('BETTER')]]);
  });

  it('takes nothing from a merge that left markers, deleted the file, or was clean; and resolves only what it knows', async () => {
    const files = { 'a.txt': text('two'), 'b.txt': text('two'), 'c.txt': text('two') };
    const made = makeRepository({ files });
    const workplace = await workplaceOf(made);
    const change = (line: string) =>
      Object.fromEntries(Object.keys(files).map((path) => [path, text(`${line} in ${path}`)]));
    const [ours, theirs] = [commitOn(made, 'main', change('ours')), commitOn(made, 'main', change('theirs'))];
    made.git('checkout', '-q', '-f', '--detach', ours);
    expect(() => made.git('merge', '-q', theirs)).toThrow();
    made.git('rm', '-q', 'c.txt');
    made.commit('resolved', { 'a.txt': text('both') });
    const merge = await workplace.repository.readCommit(parseOid(made.git('rev-parse', 'HEAD')));
    expect(await remember(workplace, 'one', merge)).toEqual(['a.txt']);
    const clean = commitOn(made, 'main', { new: 'new\n' });
    made.git('merge', '-q', '--no-edit', ours);
    const merged = await workplace.repository.readCommit(parseOid(made.git('rev-parse', 'HEAD')));
    expect([merged.parents[0], await remember(workplace, 'one', merged)]).toEqual([clean, []]);

    const outcome = await workplace.merging.merge(ours, theirs);
    if (outcome.kind === 'clean') throw new Error('clean');
    const used = await withResolutions(workplace, outcome, (options) => workplace.merging.merge(ours, theirs, options));
    expect(used.paths).toEqual(['a.txt']);
    expect(used.outcome).toMatchObject({ kind: 'conflict', conflicts: [{ path: 'b.txt' }, { path: 'c.txt' }] });
    expect(made.git('show', `${used.outcome.tree}:a.txt`)).toBe(text('both').trimEnd());
  });
});
