/** A forge's word counts for what was merged into the right branch and for nothing else, whatever else it may say. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseOid } from '../../../src/domain/oid.ts';
import { parseRefName } from '../../../src/domain/ref-name.ts';
import type { Environment } from '../../../src/environment/environment.ts';
import { type Asked, askForges } from '../../../src/environment/merged/ask.ts';
import { mergedState } from '../../../src/environment/merged/merged.ts';
import { parseWord, serializeWord } from '../../../src/environment/merged/word.ts';
import type { Workplace } from '../../../src/environment/workplace.ts';
import type { ForgeKind } from '../../../src/forge/forge.ts';
import { hostGit } from '../../../src/git/host-git.ts';
import { createMerging } from '../../../src/git/merge/merging.ts';
import { openRepository } from '../../../src/git/native/open.ts';
import { openForges } from '../../../src/open-forge.ts';
import { surroundingsOf } from '../../../src/platform/surroundings.ts';
import { type FakeForge, type FakePull, fakeForge, json } from '../../forge/fake-forge.ts';
import { rounds } from '../../support/random.ts';
import { makeRepository, type TestRepository } from '../../support/repository.ts';

interface Scene extends TestRepository {
  readonly forge: FakeForge;
  workplace(): Promise<Workplace>;
  /** With its branch where it is now. */
  environment(): Environment;
  ask(): Promise<Asked>;
  /** What is known of it with what the forge says. */
  verdict(): Promise<string>;
}

/** An environment `work` from the first commit, with a commit of its own; main has gone on in the same lines. */
async function scene(kind: ForgeKind = 'github'): Promise<Scene> {
  const made = makeRepository({ files: { 'a.txt': '1\n2\n3\n' } });
  const base = parseOid(made.git('rev-parse', 'HEAD'));
  const forge = await fakeForge(kind);
  made.git('remote', 'add', 'origin', forge.remote);
  made.git('config', `coppice.${forge.url}.forge`, kind);
  made.git('checkout', '-q', '-b', 'coppice/work');
  made.commit('work', { 'a.txt': '1\ntwo\n3\n' });
  made.git('checkout', '-q', 'main');
  made.commit('squash and more', { 'a.txt': '1\nzwei\n3\n' });
  made.git('checkout', '-q', 'coppice/work');
  const surroundings = surroundingsOf(made.path, made.env);
  const workplace = async () => {
    const repository = await openRepository(surroundings, made.path);
    const git = hostGit(repository.commonDirectory, surroundings);
    const forges = openForges(git, repository, surroundings);
    const now = () => new Date('2026-03-04T05:06:07Z');
    return { repository, forges, merging: createMerging(surroundings, repository), now } as unknown as Workplace;
  };
  const environment = () => {
    const tip = parseOid(made.git('rev-parse', 'coppice/work'));
    return {
      name: 'work',
      target: parseRefName('refs/heads/main'),
      refs: { branch: parseRefName('refs/heads/coppice/work') },
      at: { tip, head: tip, base, record: tip },
    } as unknown as Environment;
  };
  const ask = async () =>
    askForges(await workplace(), [environment()], { signal: new AbortController().signal, report: () => undefined });
  const verdict = async () => {
    const { answers, notAsked } = await ask();
    if (notAsked.length > 0) return notAsked.map(({ code }) => code).join();
    const { word, remark } = answers.get('work') ?? {};
    const known = word === undefined ? {} : { word };
    const found = await mergedState(await workplace(), { ...environment(), ...known });
    if (found.state === 'unmerged') return found.reverted ? 'reverted' : (remark ?? 'unmerged');
    if (found.state !== 'merged' || found.by !== 'forge') return found.state;
    const { count, of } = found.revertedFiles ?? { count: 0, of: 0 };
    return `${found.pull.reference}${found.pull.behind ? ' behind' : ''}${count > 0 ? ` ${count}/${of} reverted` : ''}`;
  };
  return { ...made, forge, workplace, environment, ask, verdict };
}

const tipOf = (made: Scene) => made.git('rev-parse', 'coppice/work');
const pull = (number: number, commits: readonly string[], rest: Partial<FakePull> = {}): FakePull => ({
  number,
  state: 'merged',
  commits,
  ...rest,
});

it.each(['github', 'gitlab', 'gitea'] as const)('%s: merged with further edits in the merge', async (kind) => {
  const made = await scene(kind);
  const { forge, verdict } = made;
  expect(await verdict()).toBe('unmerged');
  const mergeCommit = made.git('rev-parse', 'main');
  const tip = tipOf(made);
  const mark = kind === 'gitlab' ? '!' : '#';
  forge.pulls = [pull(7, [tip], { mergeCommit })];
  expect(await verdict()).toBe(`${mark}7`);
  forge.pulls = [pull(7, [tip], { mergeCommit: 'a'.repeat(40) })];
  expect(await verdict()).toBe(`${mark}7 behind`);
  // The branch goes on after the merge, here and there.
  const later = made.commit('later', { 'b.txt': 'b\n' });
  forge.pulls = [pull(7, [tip], { mergeCommit, branchNow: later })];
  expect(await verdict()).toBe(`${mark}7 was merged without its last commit`);
  expect((await made.ask()).answers.get('work')?.word).toBeUndefined();
});

describe('the word', () => {
  it('is remembered as it was said', async () => {
    const made = await scene();
    const mergeCommit = made.git('rev-parse', 'main');
    made.forge.pulls = [pull(7, [tipOf(made)], { mergeCommit })];
    const word = (await made.ask()).answers.get('work')?.word;
    expect(word).toMatchObject({ number: 7, base: 'main', head: tipOf(made), mergeCommit, tip: tipOf(made) });
    expect(word && parseWord(serializeWord(word))).toEqual(word);
    for (const broken of ['', '{', '[]', '{"version":2}']) expect(parseWord(Buffer.from(broken))).toBeUndefined();
  });

  it('counts for a later head that stands on the work, fetched or not', async () => {
    const made = await scene();
    const tip = tipOf(made);
    made.git('checkout', '-q', '-b', 'theirs');
    const later = made.commit('a reviewer’s', { 'r.txt': 'r\n' });
    made.forge.pulls = [pull(1, [tip, later])];
    expect(await made.verdict()).toBe('#1 behind');
    made.forge.pulls = [pull(1, [tip, 'c'.repeat(40)])];
    expect(await made.verdict()).toBe('#1 behind');
    // Rewritten there before the merge: the work as it is here was not merged.
    made.forge.pulls = [pull(1, ['d'.repeat(40), 'c'.repeat(40)])];
    expect(await made.verdict()).toBe('unmerged');
  });

  it('takes the merged one of two pull requests, if it has all', async () => {
    const made = await scene();
    const before = tipOf(made);
    made.forge.pulls = [pull(1, [before]), pull(2, [before], { state: 'open' })];
    expect(await made.verdict()).toBe('#1 behind');
    const after = made.commit('more', { 'b.txt': 'b\n' });
    made.forge.pulls = [pull(1, [before]), pull(2, [before, after], { state: 'open' })];
    expect(await made.verdict()).toBe('#2 is open, #1 was merged without its last commit');
    made.forge.pulls = [pull(1, [before]), pull(2, [before, after], { state: 'closed' })];
    expect(await made.verdict()).toBe('#2 was closed and not merged, #1 was merged without its last commit');
    made.forge.pulls = [pull(1, [before]), pull(2, [after])];
    expect(await made.verdict()).toBe('#2 behind');
  });

  it('is not about another branch, on this side or on that', async () => {
    const made = await scene();
    made.forge.pulls = [pull(1, [tipOf(made)], { base: 'develop' })];
    expect(await made.verdict()).toBe('#1 was merged into develop');
    made.git('config', 'branch.main.remote', 'origin');
    made.git('config', 'branch.main.merge', 'refs/heads/develop');
    expect(await made.verdict()).toBe('#1 behind');
    // Somebody's earlier work under the same name.
    made.forge.pulls = [pull(2, [made.git('rev-parse', 'main')]), pull(1, [made.git('rev-parse', 'main~1')])];
    expect(await made.verdict()).toBe('unmerged');
  });

  it('is found under the name the branch was pushed to, and in a fork', async () => {
    const made = await scene();
    made.git('update-ref', 'refs/remotes/origin/feature', tipOf(made));
    const other = made.forge.remote.replace('/team/', '/ada/');
    made.git('remote', 'add', 'fork', other);
    made.git('config', 'branch.main.remote', 'origin');
    made.git('config', 'branch.main.merge', 'refs/heads/main');
    made.forge.pulls = [pull(3, ['d'.repeat(40)], { branch: 'feature', fork: 'ada', state: 'open' })];
    expect(await made.verdict()).toBe('#3 is open');
    expect(made.forge.asked.map(({ path }) => new URL(path, made.forge.url).searchParams.get('head'))).toContain(
      'ada:feature',
    );
  });

  it('ends with a revert of the merge, and tells of a revert in part', async () => {
    const made = await scene();
    const tip = made.commit('more', { 'b.txt': 'b\n' });
    made.git('checkout', '-q', 'main');
    const mergeCommit = made.commit('squash', { 'a.txt': '1\ntwo, edited\n3\n', 'b.txt': 'b\n' });
    made.forge.pulls = [pull(1, [tip], { mergeCommit })];
    expect(await made.verdict()).toBe('#1');
    made.commit('b reverted');
    made.git('rm', '-q', 'b.txt');
    made.commit('b reverted');
    expect(await made.verdict()).toBe('#1 1/2 reverted');
    made.commit('a reverted', { 'a.txt': '1\n2\n3\n' });
    expect(await made.verdict()).toBe('reverted');
  });

  it('is not asked for where nobody can be', async () => {
    const made = await scene();
    made.forge.pulls = [pull(1, [tipOf(made)])];
    const said = async () => (await made.ask()).notAsked.map(({ code, reason }) => [code, reason]);
    made.forge.instead = (_, response) => {
      json(response, 503, {});
      return true;
    };
    expect(await said()).toMatchObject([['forge-failed', expect.stringContaining('status 503')]]);
    made.git('remote', 'add', 'other', 'https://github.com/team/project.git');
    expect(await said()).toMatchObject([['forge-unknown', expect.stringContaining('main has no upstream')]]);
    made.git('remote', 'remove', 'other');
    made.git('config', `coppice.${made.forge.url}.forge`, 'odd');
    expect(await said()).toMatchObject([['bad-forge-setting', 'coppice.forge is "odd".']]);
    made.git('config', `coppice.${made.forge.url}.forge`, 'none');
    expect(await said()).toEqual([]);
    made.git('remote', 'set-url', 'origin', '/srv/git/project.git');
    expect(await said()).toEqual([]);
    made.git('remote', 'remove', 'origin');
    expect(await said()).toEqual([]);
  });
});

const somePull = fc.record({
  state: fc.constantFrom('merged', 'merged', 'open', 'closed'),
  /** How many of the commits it has. */
  upTo: fc.nat(5),
  base: fc.constantFrom('main', 'main', 'develop'),
  branch: fc.constantFrom('coppice/work', 'coppice/work', 'unrelated'),
  /** Goes on with commits that nobody has here. */
  further: fc.boolean(),
});

it('never says merged of a commit that is in no merged pull request for that branch', async () => {
  const made = await scene();
  const commits = [tipOf(made)];
  for (let count = 1; count < 5; count += 1) commits.push(made.commit(`c${count}`, { [`f${count}.txt`]: 'x\n' }));
  const foreign = ['7'.repeat(40), '8'.repeat(40)];
  const seen = { merged: 0, not: 0 };
  const property = fc.asyncProperty(
    fc.nat(4),
    fc.array(somePull, { minLength: 1, maxLength: 4 }),
    async (at, pulls) => {
      const tip = commits[at] ?? '';
      made.git('update-ref', 'refs/heads/coppice/work', tip);
      made.forge.pulls = pulls.map(({ upTo, further, ...rest }, index) => {
        return { ...rest, number: index + 1, commits: [...commits.slice(0, upTo), ...(further ? foreign : [])] };
      });
      const has = made.forge.pulls.some(
        ({ state, base, commits: all }) => state === 'merged' && base === 'main' && all.includes(tip),
      );
      const word = (await made.ask()).answers.get('work')?.word;
      expect(word !== undefined).toBe(has);
      seen[has ? 'merged' : 'not'] += 1;
    },
  );
  await fc.assert(property, { numRuns: rounds(12) });
  expect(seen.merged * seen.not).toBeGreaterThan(0);
});
