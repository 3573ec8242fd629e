/** Work that is not on the environment's own branch, stashed or on another one, comes out, and comes back with it. */
import { expect, it } from 'vitest';
import { libraryIn } from '../support/library.ts';
import { makeRepository } from '../support/repository.ts';

it('brings branches and stashes out as they are made, and back as they were', async () => {
  const repository = makeRepository({ files: { 'a.txt': 'a\n' } });
  const { coppice, inside, create } = libraryIn(repository);
  await create('one');
  const stash = async () => {
    const command = ['git', 'stash', 'list', '--format=%H %gs'];
    return (await coppice.exec({ name: 'one', command })).stdout;
  };
  const refs = (part: string) =>
    repository.git('for-each-ref', '--format=%(objectname)', `refs/coppice/one/${part}`).split('\n').filter(Boolean);
  // Never quiet for long enough to be checkpointed, and on no branch.
  await inside('one', 'git checkout -q -b side; echo s > s.txt; git add .; git commit -qm side; git checkout -q -');
  await inside('one', 'echo 1 > a.txt; git stash -q; echo 2 > new.txt; git stash push -q -u -m "with a new file"');
  const before = await stash();
  const [newest = '', oldest = ''] = before.split('\n').map((line) => line.split(' ')[0]);
  expect(refs('stashes')).toEqual([oldest, newest]);
  expect(repository.git('show', `${newest}^3:new.txt`)).toBe('2');
  const kept = async () => (await coppice.prune({ unchanged: true })).kept.map(({ reason }) => reason);
  expect(await kept()).toEqual(['it has another branch with work, side']);
  const [side = ''] = refs('heads');

  await coppice.remove({ name: 'one' });
  repository.git('gc', '--prune=now', '--quiet');
  await coppice.restore({ name: 'one' });
  expect(await stash()).toBe(before);
  // The branch is one inside again: a look at it does not find it gone.
  await inside('one', 'test "$(git show side:s.txt)" = s; git branch other side; git branch -D side -q');
  expect(refs('heads')).toEqual([side]);
  await inside('one', 'git branch -D other -q');
  expect(refs('heads')).toEqual([]);
  expect(await kept()).toEqual(['it has 2 stashes inside']);
  await inside('one', 'git stash pop -q; test "$(cat new.txt)" = 2; git stash drop -q');
  expect(await stash()).toBe('');
  expect(refs('stashes')).toEqual([]);
  expect(refs('tails')).toEqual(expect.arrayContaining([side, oldest, newest]));
});
