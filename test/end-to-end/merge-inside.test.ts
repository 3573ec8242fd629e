/** Conflicts that the container’s own means resolve: a merge driver its git knows, a lock file made anew; nothing else is taken over. */
import { expect, it, onTestFinished } from 'vitest';
import { coppiceIn } from '../support/coppice.ts';
import { fingerprintOfCheckout } from '../support/fingerprint.ts';
import { makeRepository } from '../support/repository.ts';

async function setUp(regenerate: string) {
  const repository = makeRepository({
    files: {
      'deps/a': 'a\n',
      'all.lock': 'a\n',
      'list.txt': 'first\n',
      'other.txt': 'as it was\n',
      '.gitattributes': 'list.txt merge=both\n',
      '.coppice/environment.json': JSON.stringify({ merge: { regenerate: { '*.lock': regenerate } } }),
    },
  });
  const cli = coppiceIn(repository);
  onTestFinished(async () => void (await cli.run(['remove', '-f', 'one'])));
  await cli.json(['create', 'one', '--runtime', 'sandbox']);
  const exec = async (script: string) => {
    const done = await cli.run(['exec', 'one', '--', 'sh', '-ec', script]);
    expect(done.status, done.stderr).toBe(0);
    return done.stdout.trim();
  };
  await exec('echo c > deps/c; printf "a\\nc\\n" > all.lock; echo theirs >> list.txt');
  repository.commit('ours', { 'deps/b': 'b\n', 'all.lock': 'a\nb\n', 'list.txt': 'first\nours\n' });
  return { repository, cli, exec };
}

const driver = `git config --global merge.both.driver 'echo run >> ~/runs; git merge-file --union %A %O %B'`;

it('takes what a driver and a command made of the files that conflict, and only these', async () => {
  const { repository, cli, exec } = await setUp('cat deps/* > all.lock; echo tampered > other.txt; git add other.txt');
  const before = fingerprintOfCheckout(repository.path);
  const conflict = await cli.json<{ error: { data: { files: unknown } } }>(['merge', 'one'], { allow: [4] });
  expect(conflict.error.data.files).toMatchObject([{ path: 'list.txt' }]);
  expect(fingerprintOfCheckout(repository.path)).toEqual(before);
  const resolved = [
    { path: 'all.lock', by: 'regenerated' },
    { path: 'list.txt', by: 'merge driver', command: null },
  ];
  const begun = await cli.json(['resolve', 'one']);
  expect(begun).toMatchObject({
    action: 'begun',
    resolved: [resolved[0]],
    resolution: { files: [{ path: 'list.txt' }] },
  });
  await cli.json(['resolve', 'one', '--abort']);
  await exec(driver);
  expect(await cli.json(['resolve', 'one'])).toMatchObject({ action: 'no-conflict', resolved });
  expect(await exec('cat ~/runs; rm ~/runs')).toBe('run');
  const merged = await cli.json(['merge', 'one']);
  expect(merged).toMatchObject({ resolved });
  // On the rehearsal: what came of it is what is merged.
  expect(await exec('cat ~/runs')).toBe('run');
  expect(repository.git('show', 'main:all.lock')).toBe('a\nb\nc');
  expect(repository.git('show', 'main:list.txt')).toBe('first\nours\ntheirs');
  expect(repository.git('show', 'main:other.txt')).toBe('as it was');
  expect(await exec('git worktree list | wc -l; git for-each-ref refs/coppice; git status --porcelain')).toBe('1');
});

it('leaves the conflict where a command fails or keeps the markers', async () => {
  const { repository, cli, exec } = await setUp('echo made half > all.lock; echo no such registry; exit 3');
  await exec(`git config --global merge.both.driver 'git merge-file -q %A %O %B; true'`);
  const before = repository.git('rev-parse', 'main', 'coppice/one');
  const { error } = await cli.json<{ error: { data: { files: unknown; output: string } } }>(['merge', 'one'], {
    allow: [4],
  });
  expect(error.data.files).toMatchObject([{ path: 'all.lock' }, { path: 'list.txt' }]);
  expect(error.data.output).toContain('no such registry');
  expect(repository.git('rev-parse', 'main', 'coppice/one')).toBe(before);
});
