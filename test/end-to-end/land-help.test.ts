/** What lands is merged as `merge` does it alone: with what runs inside, with what is remembered, and as plain commits. */
import { chmodSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { libraryIn } from '../support/library.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';

function hook(repository: TestRepository, name: string, script: string): void {
  const file = join(repository.path, '.git/hooks', name);
  writeFileSync(file, `#!/bin/sh\n${script}\n`);
  chmodSync(file, 0o755);
}

it('asks drivers, commands and hooks of each at its place in the line', async () => {
  const regenerate = { '*.lock': 'cat deps/* > all.lock' };
  const repository = makeRepository({
    files: {
      'deps/a': 'a\n',
      'all.lock': 'a\n',
      'list.txt': 'first\n',
      '.gitattributes': 'list.txt merge=both\n',
      '.coppice/environment.json': JSON.stringify({ merge: { regenerate } }),
    },
  });
  hook(repository, 'pre-merge-commit', 'echo "sees $(git log --format=%s HEAD~..HEAD)"; echo $(ls); test ! -e bad.txt');
  hook(repository, 'commit-msg', 'printf "\\nReviewed-by: hook\\n" >> "$1"');
  const { coppice, inside, create } = libraryIn(repository);
  await create('one', 'two', 'bad', 'ci');
  await inside(
    'one',
    'echo b > deps/b; cat deps/* > all.lock; echo one >> list.txt; git add .; git commit -qnm "Add b"',
  );
  await inside(
    'two',
    `echo c > deps/c; cat deps/* > all.lock; echo two >> list.txt
    git config --global merge.both.driver 'echo run >> ~/runs; git merge-file --union %A %O %B'`,
  );
  await inside('bad', 'echo b > bad.txt');
  await inside('ci', 'mkdir -p .github/workflows; echo "on: push" > .github/workflows/ci.yml');
  const before = repository.git('rev-parse', 'main');
  const names = ['bad', 'one', 'two', 'ci'];
  const done = await coppice.land({ names, check: 'cat deps/* | cmp - all.lock', refuseRuns: true, jobs: 2 });
  expect(done).toMatchObject({
    landed: [
      { name: 'one', hooks: 'ran', resolved: [] },
      {
        name: 'two',
        resolved: [
          { path: 'all.lock', by: 'regenerated', command: regenerate['*.lock'] },
          { path: 'list.txt', by: 'merge driver' },
        ],
      },
    ],
    refused: [
      { name: 'ci', code: 'runs-elsewhere' },
      { name: 'bad', code: 'merge-refused', hint: expect.stringContaining('bad.txt') },
    ],
    conflicts: [],
  });
  // It saw the files of the one before, and nothing of that one's commits.
  expect(done.landed[1]?.hookOutput).toBe('sees What lands before\nall.lock deps list.txt');
  expect(repository.git('show', 'main:list.txt')).toBe('first\none\ntwo');
  expect(repository.git('show', 'main:all.lock')).toBe('a\nb\nc');
  const trailers = repository.git(
    'log',
    '--first-parent',
    '--format=%s %(trailers:key=Reviewed-by)',
    `${before}..main`,
  );
  expect(trailers.split('\n').filter(Boolean)).toEqual([
    'Merge environment two Reviewed-by: hook',
    'Merge environment one Reviewed-by: hook',
  ]);
  // Once in the line with `bad`, once in the one without.
  const runs = await coppice.exec({
    name: 'two',
    command: ['sh', '-c', 'wc -l < ~/runs; git for-each-ref refs/coppice'],
  });
  expect(runs.stdout.trim()).toBe('2');
  expect(await coppice.land({ names: ['bad'], noVerify: true })).toMatchObject({ landed: [{ name: 'bad' }] });
});

it('leaves nothing inside when it is interrupted in a hook', async () => {
  const repository = makeRepository();
  hook(repository, 'pre-merge-commit', 'touch ~/began; sleep 600');
  const { cli, coppice, inside, create, data } = libraryIn(repository);
  await create('one');
  await inside('one', 'echo 1 > one.txt');
  const before = repository.git('rev-parse', 'main');
  const child = cli.start(['land']);
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  await eventually(() => existsSync(join(data(), 'one/home/began')));
  child.kill('SIGINT');
  expect(await ended).toBe(130);
  expect(repository.git('rev-parse', 'main')).toBe(before);
  const look = 'git worktree list | wc -l; git for-each-ref refs/coppice; ls /tmp';
  expect((await coppice.exec({ name: 'one', command: ['sh', '-c', look] })).stdout.trim()).toBe('1');
});

it('makes a plain commit of each, knows them for merged, and goes on from there', async () => {
  const lines = (second: string) => `one\n${second}\nthree\n`;
  const repository = makeRepository({ files: { 'a.txt': lines('two') } });
  const { coppice, inside, create } = libraryIn(repository);
  await create('many', 'single');
  await inside(
    'many',
    'sed -i s/two/2/ a.txt; git commit -qam Second; echo m > m.txt; git add .; git commit -qm Third',
  );
  await inside('single', 'echo s > s.txt');
  const before = repository.git('rev-parse', 'main');
  const done = await coppice.land({ names: ['many', 'single'], squash: true, noVerify: true });
  expect(done.landed.map(({ name }) => name)).toEqual(['many', 'single']);
  expect(repository.git('log', '--format=%p|%B', `${before}..main`).split('\n').filter(Boolean)).toEqual([
    `${repository.git('rev-parse', '--short', 'main~1')}|Work of single`,
    `${repository.git('rev-parse', '--short', before)}|Work of many`,
    '* Second',
    '* Third',
  ]);
  const { environments } = await coppice.list({});
  expect(environments.map(({ merged }) => merged)).toEqual(['merged', 'merged']);
  // In the same lines, where git alone would see a conflict.
  await inside('many', 'sed -i s/2/II/ a.txt');
  expect(await coppice.land({ names: ['many'], squash: true })).toMatchObject({ landed: [{ name: 'many' }] });
  expect(repository.git('show', 'main:a.txt')).toBe(lines('II').trimEnd());
});

it('resolves as before where that is wished', async () => {
  const repository = makeRepository({ files: { 'a.txt': 'one\ntwo\nthree\n' } });
  const { coppice, inside, create } = libraryIn(repository);
  await create('one', 'other');
  for (const name of ['one', 'other']) await inside(name, 'sed -i s/two/AGENT/ a.txt; git commit -qam Agent');
  repository.commit('Main', { 'a.txt': 'one\nMAIN\nthree\n' });
  await coppice.resolve({ name: 'one' });
  await inside('one-resolve', "printf 'one\\nBOTH\\nthree\\n' > a.txt");
  await coppice.resolve({ name: 'one', continue: true });
  expect(await coppice.land({ names: ['other'] })).toMatchObject({ landed: [], conflicts: [{ name: 'other' }] });
  expect(await coppice.land({ names: ['other'], useResolutions: true })).toMatchObject({
    landed: [{ name: 'other', resolved: [{ path: 'a.txt', by: 'remembered resolution' }] }],
  });
  expect(repository.git('show', 'main:a.txt')).toBe('one\nBOTH\nthree');
});
