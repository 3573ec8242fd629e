/** Commits that come out while the files go on changing: a commit is never undone, nor left below checkpoints that change nothing. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { layoutOf, runInside, runningContainer } from '../../src/environment/container.ts';
import { findEnvironment } from '../../src/environment/find.ts';
import { readLeftInside } from '../../src/environment/mirror-branches.ts';
import { reconcile } from '../../src/environment/reconcile.ts';
import type { Workplace } from '../../src/environment/workplace.ts';
import { openWorkplace } from '../../src/open.ts';
import { loadWatched } from '../../src/open-watched.ts';
import { surroundingsOf } from '../../src/platform/surroundings.ts';
import { libraryIn } from '../support/library.ts';
import { makeRepository } from '../support/repository.ts';

async function scene() {
  const repository = makeRepository({ files: { 'a.txt': 'a\n', 'b.txt': 'b\n' } });
  const library = libraryIn(repository);
  await library.create('one');
  const surroundings = surroundingsOf(repository.path, library.cli.env);
  const workplace = await openWorkplace(surroundings, []);
  onTestFinished(() => workplace.close());
  const environment = await findEnvironment(workplace, 'one');
  /** Not as `exec` does it, which looks at the files afterwards. */
  const inside = async (script: string) => {
    const { runtime, container } = await runningContainer(workplace, environment);
    const { tree } = await layoutOf(workplace, environment, runtime);
    const done = await runInside(runtime, container.id, ['sh', '-ec', script], { workdir: tree });
    expect(done).toMatchObject({ status: 0, failedToStart: undefined });
  };
  const names = (prefix: string) => repository.git('for-each-ref', '--format=%(refname)', prefix).split('\n');
  return { ...repository, surroundings, workplace, environment, inside, names };
}

/** Something that happens after the look at the files and before the commits are fetched. */
function beforeFetch(workplace: Workplace, happens: () => Promise<void>): Workplace {
  const fetch: Workplace['transport']['fetch'] = async (...args) => {
    await happens();
    return workplace.transport.fetch(...args);
  };
  const { push, pushAll, fetchCommits } = workplace.transport;
  return { ...workplace, transport: { fetch, fetchCommits, push, pushAll } };
}

describe('commits made inside', () => {
  it('are the tip when the files they hold were written after the look at the files', async () => {
    const { git, inside, workplace, environment, names } = await scene();
    await inside('echo 1 > c.txt; git add .; git commit -qm First');
    const late = beforeFetch(workplace, () => inside('echo 2 > c.txt; rm a.txt; git commit -qam Second'));
    const seen = await reconcile(late, environment);
    expect(git('log', '-1', '--format=%s', 'coppice/one')).toBe('Second');
    expect(git('rev-parse', 'coppice/one')).toBe(git('rev-parse', 'refs/coppice/one/head'));
    expect(seen.environment.at.tip).toBe(git('rev-parse', 'coppice/one'));
    expect(names('refs/coppice/one/tails/')).not.toEqual(['']);
  });

  it('keep on top what was not committed, as it is now', async () => {
    const { git, inside, workplace, environment } = await scene();
    await inside('echo 1 > c.txt; echo new > b.txt; git add c.txt; git commit -qm First');
    const late = beforeFetch(workplace, () =>
      inside('echo newer > b.txt; echo 2 > c.txt; git commit -qm Second c.txt'),
    );
    await reconcile(late, environment);
    expect(git('log', '--format=%s', '-2', '--skip=1', 'coppice/one')).toBe('Second\nFirst');
    expect(git('diff', '--name-status', 'coppice/one^', 'coppice/one')).toBe('M\tb.txt');
    expect(git('show', 'coppice/one:b.txt')).toBe('newer');
  });

  it('are the tip when the daemon brings them before it has looked at the files', async () => {
    const { git, inside, surroundings } = await scene();
    const { dataDirectory } = surroundings;
    const commonDirectories = [git('rev-parse', '--absolute-git-dir')];
    const load = loadWatched(surroundings, openWorkplace, async () => []);
    const [listed] = await load({ dataDirectories: [dataDirectory], commonDirectories });
    const watched = await listed?.open();
    onTestFinished(() => watched?.close());
    await watched?.checkpoint({ cause: 'edit' });
    await inside('echo 1 > c.txt; rm a.txt; git add -A; git commit -qm First');
    expect(await watched?.importCommits()).toMatchObject([{ subject: 'First' }]);
    expect(git('rev-parse', 'coppice/one')).toBe(git('rev-parse', 'refs/coppice/one/head'));
    expect(await watched?.checkpoint({ cause: 'edit' })).toMatchObject({ checkpoint: undefined });
  });

  it('say which ignored files are tracked, and their later changes are seen', async () => {
    const { git, inside, workplace, environment } = await scene();
    await inside('mkdir build; echo 1 > build/kept; echo 1 > build/changed; printf "build/\\na.txt\\n" > .gitignore');
    await inside(
      'git add -f build; git rm -q --cached a.txt; git add .; git commit -qm Forced; echo 2 > build/changed',
    );
    await reconcile(workplace, environment);
    expect(git('log', '-1', '--skip=1', '--format=%s', 'coppice/one')).toBe('Forced');
    expect(git('diff', '--name-status', 'coppice/one^', 'coppice/one')).toBe('M\tbuild/changed');
    await inside('git commit -qam Changed; echo still > a.txt');
    await reconcile(workplace, environment);
    expect(git('rev-parse', 'coppice/one')).toBe(git('rev-parse', 'refs/coppice/one/head'));
  });
});

describe('other branches made inside', () => {
  it('appear as they are inside, a name that makes room for another as well, and what they leave stays reachable', async () => {
    const { git, inside, workplace, environment, names } = await scene();
    const heads = () => names('refs/coppice/one/heads/').map((name) => name.slice('refs/coppice/one/heads/'.length));
    await inside(
      'git switch -qc a; git commit -q --allow-empty -m A; git switch -qc b; git commit -q --allow-empty -m B',
    );
    await inside('git switch -q coppice/one; git branch c a');
    await reconcile(workplace, environment);
    expect(heads()).toEqual(['a', 'b', 'c']);
    const lost = git('rev-parse', 'refs/coppice/one/heads/b');
    const tails = names('refs/coppice/one/tails/').filter((name) => name !== '').length;
    await inside('git branch -qD a b c; git branch -q a/b');
    await reconcile(workplace, environment);
    expect(heads()).toEqual(['a/b']);
    // The one that reaches the others' commits.
    expect(names('refs/coppice/one/tails/')).toHaveLength(tails + 1);
    expect(git('for-each-ref', '--points-at', lost, '--format=%(refname)')).toMatch(/^refs\/coppice\/one\/tails\/\d+$/);
  });

  it('are a thousand at most, and what stays inside is told with the reason', async () => {
    const { git, inside, workplace, environment, names } = await scene();
    await inside('for i in $(seq 1100); do echo "create refs/heads/n$i HEAD"; done | git update-ref --stdin');
    await inside(
      `echo ${'1'.repeat(40)} > "$(git rev-parse --git-dir)/refs/heads/broken"; git commit -q --allow-empty -m x`,
    );
    await reconcile(workplace, environment);
    expect(git('log', '-1', '--format=%s', 'refs/coppice/one/head')).toBe('x');
    expect(await readLeftInside(workplace, environment)).toEqual([{ branches: [], why: expect.any(String) }]);
    await inside('rm "$(git rev-parse --git-dir)/refs/heads/broken"');
    await reconcile(workplace, environment);
    expect(names('refs/coppice/one/heads/')).toHaveLength(1_000);
    const [left, ...others] = await readLeftInside(workplace, environment);
    expect([left?.branches.length, left?.why, others]).toEqual([100, 'at most 1000 are brought out', []]);
    await inside('git for-each-ref --format="delete %(refname)" "refs/heads/n*" | git update-ref --stdin');
    await reconcile(workplace, environment);
    expect(names('refs/coppice/one/heads/')).toEqual(['']);
    expect(await readLeftInside(workplace, environment)).toEqual([]);
  });
});
