/** A git directory that begins in the middle of a merge is as a real `git merge` would have left it. */
import { describe, expect, it } from 'vitest';
import { parseOid } from '../../../src/domain/oid.ts';
import { parseRefName } from '../../../src/domain/ref-name.ts';
import { conflicting, diverge, lines, mergingOf, write } from '../merge/divergence.ts';
import { agentGit, ownGitOf, place, type Setup, setUp } from './support.ts';

/** In the middle of merging `right` into `left`, both on the host and in an environment. */
async function inTheMiddle(setup: Setup, left: string, right: string) {
  const { repository } = setup;
  const { merging } = await mergingOf(repository);
  const outcome = await merging.merge(parseOid(left), parseOid(right), { style: 'zdiff3' });
  if (outcome.kind === 'clean') throw new Error('clean');
  const tip = repository.git('commit-tree', '-p', left, '-m', 'left', outcome.tree);
  const at = place(setup, 'one', tip);
  await setup.worktrees.create(at);
  await setup.worktrees.shareBase(parseOid(repository.git('merge-base', left, right)));
  const merge = {
    theirs: parseOid(right),
    ref: parseRefName('refs/remotes/coppice/theirs'),
    message: 'Merge theirs\n',
    left: parseOid(tip),
    conflicts: outcome.conflicts,
  };
  await setup.worktrees.createOwnGit(ownGitOf(at, { head: parseOid(left), merging: merge }));
  repository.git('checkout', '-q', '-f', '--detach', left);
  expect(() => repository.git('-c', 'merge.conflictStyle=zdiff3', 'merge', '-q', right)).toThrow();
  return at;
}

/** Where a path is taken by a directory, git adds what the side is called. */
const withoutLabel = (text: string) => text.replace(/~[\w-]+/g, '~').replace(/\.git\n?/g, '');

describe('the index, the files and the state are those of a real merge', () => {
  // A submodule that is not checked out is none for `git merge`, which looks into the files for it.
  const cases = Object.entries(conflicting).filter(([name]) => name !== 'submodule');
  it.each(cases)('%s', async (_, [start, ours, theirs]) => {
    const { made, left, right } = diverge(start, ours, theirs);
    const setup = setUp({ existing: made });
    const at = await inTheMiddle(setup, left, right);
    const both = (...args: readonly string[]) => {
      const inside = withoutLabel(agentGit(setup, at, ...args));
      expect(inside).toBe(withoutLabel(made.git(...args)));
      return inside;
    };
    expect(both('ls-files', '-u')).not.toBe('');
    both('ls-files', '-s');
    both('status', '--porcelain');
    both('rev-parse', 'HEAD', 'MERGE_HEAD', 'ORIG_HEAD');
    agentGit(setup, at, 'fsck', '--strict', '--no-dangling');
    // All that the index names can be read: what is resolved as it stands can be committed.
    agentGit(setup, at, 'add', '-A');
    agentGit(setup, at, 'commit', '-q', '--no-edit');
    expect(agentGit(setup, at, 'log', '-1', '--format=%P %s')).toBe(`${left} ${right} Merge theirs`);
  });
});

it('a merge given up leaves what HEAD has', async () => {
  const { made, left, right } = diverge(write('f', lines()), write('f', lines('ours')), write('f', lines('theirs')));
  const setup = setUp({ existing: made });
  const at = await inTheMiddle(setup, left, right);
  agentGit(setup, at, 'merge', '--abort');
  expect(agentGit(setup, at, 'status', '--porcelain')).toBe('');
  expect(agentGit(setup, at, 'diff', left)).toBe('');
});

it('an ancestor that git made of two is there, and neither side is in the store that all can read', async () => {
  const { made, base } = diverge(write('f', lines()), write('g', 'ours\n'), write('h', 'theirs\n'));
  const commit = (name: string, from: string, content: string) => {
    made.git('checkout', '-q', '-f', '-B', name, from);
    made.commit(name, { f: content });
    return made.git('rev-parse', 'HEAD');
  };
  const one = commit('one', base, lines().replace('one', 'ONE'));
  const two = commit('two', base, lines().replace('five', 'FIVE'));
  const crossed = (name: string, from: string, other: string, content: string) => {
    made.git('checkout', '-q', '-f', '-B', name, from);
    made.git('merge', '-q', '--no-edit', other);
    return commit(name, 'HEAD', content);
  };
  const left = crossed('left', one, two, lines().replace('three', 'LEFT'));
  const right = crossed('right', two, one, lines().replace('three', 'RIGHT'));
  const setup = setUp({ existing: made });
  const at = await inTheMiddle(setup, left, right);
  expect(agentGit(setup, at, 'show', ':1:f')).toBe(
    lines().replace('one', 'ONE').replace('five', 'FIVE').replace(/\n$/, ''),
  );
  const has = (commit: string) => {
    try {
      setup.repository.git('--git-dir', setup.store, 'cat-file', '-e', commit);
      return true;
    } catch {
      return false;
    }
  };
  expect([one, left, right].map(has)).toEqual([true, false, false]);
});
