/** Many environments land at once: what passes together gets on the branch in one step, everybody else is told why not. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { fingerprintOfCheckout } from '../support/fingerprint.ts';
import { libraryIn } from '../support/library.ts';
import { makeRepository, type TestRepository } from '../support/repository.ts';

const subjects = (repository: TestRepository, range: string) =>
  repository.git('log', '--first-parent', '--format=%s', range).split('\n').filter(Boolean);

describe('landing', () => {
  it('lands what passes together, and says who fails, with whom, and what conflicts', async () => {
    const check =
      'echo checking; test ! -e bad.txt; test ! -e two.txt || test ! -e five.txt; git diff --exit-code HEAD';
    const repository = makeRepository({
      files: { 'a.txt': 'a\n', '.coppice/environment.json': JSON.stringify({ check: `set -e; ${check}` }) },
    });
    const { coppice, inside, create } = libraryIn(repository);
    await create('one', 'two', 'bad', 'five', 'clash', 'marked', 'untouched');
    await inside('one', 'echo 1 > one.txt; git add .; git commit -qm One; echo more >> one.txt');
    await inside('two', 'echo 2 > two.txt');
    await inside('bad', 'echo b > bad.txt; git add .; git commit -qm Bad');
    await inside('five', 'echo 5 > five.txt');
    await inside('clash', 'echo other > one.txt');
    await inside('marked', "printf '<<<<<<< a\\nx\\n=======\\ny\\n>>>>>>> b\\n' > m.txt");
    const before = repository.git('rev-parse', 'main');
    const tips = () => repository.git('for-each-ref', 'refs/heads/coppice');
    const checkout = fingerprintOfCheckout(repository.path);
    const names = ['one', 'two', 'bad', 'five', 'clash', 'marked', 'untouched'];
    const dry = await coppice.land({ names, dryRun: true });
    expect(dry.landed.map(({ name }) => name)).toEqual(['one', 'two', 'bad', 'five']);
    expect(fingerprintOfCheckout(repository.path)).toEqual(checkout);
    const tipsBefore = tips();
    const done = await coppice.land({ names });
    expect(done).toMatchObject({
      into: 'main',
      before,
      landed: [{ name: 'one' }, { name: 'two' }],
      failed: [
        { name: 'bad', with: [], exit: 1, output: 'checking\n' },
        { name: 'five', with: ['two'], exit: 1 },
      ],
      conflicts: [{ name: 'clash', with: ['one'], files: [{ path: 'one.txt', kind: 'add/add' }] }],
      refused: [{ name: 'marked', code: 'conflict-markers' }],
      contained: ['untouched'],
    });
    expect(subjects(repository, `${before}..main`)).toEqual(['Merge environment two', 'Merge environment one']);
    expect(repository.git('log', '-1', '--format=%b', 'main^')).toBe('* One\n* Work of one\n');
    expect(repository.git('status', '--porcelain')).toBe('');
    expect(repository.git('show', 'main:one.txt')).toBe('1\nmore');
    // Those that stay out are as they were, their tails included; nothing is left of where the check ran.
    const others = (text: string) => text.split('\n').filter((line) => !/\/(?:one|two)$/.test(line));
    expect(others(tips())).toEqual(others(tipsBefore));
    expect(repository.git('for-each-ref', 'refs/coppice').includes('check-')).toBe(false);
    expect(readdirSync(`${repository.path}/.git/worktrees`).sort()).toEqual(
      names.map((name) => `coppice-${name}`).sort(),
    );
    repository.git('fsck', '--strict', '--no-dangling');
    // The same files give the same result: nothing is run again.
    const again = await coppice.land({ names: ['bad'] });
    expect(again).toMatchObject({ landed: [], failed: [{ name: 'bad' }], checks: { run: 0 } });
  });

  it('gives whoever conflicted with one that fails another chance, and removes what landed when asked', async () => {
    const repository = makeRepository();
    const { coppice, inside, create } = libraryIn(repository);
    await create('first', 'second');
    await inside('first', 'echo first > same.txt; echo b > bad.txt');
    await inside('second', 'echo second > same.txt');
    const done = await coppice.land({ names: ['first', 'second'], check: 'test ! -e bad.txt', remove: true });
    expect(done).toMatchObject({
      landed: [{ name: 'second' }],
      failed: [{ name: 'first' }],
      conflicts: [{ name: 'first' }].slice(1),
    });
    expect(done.removed).toEqual(['second']);
    expect((await coppice.list({})).environments.map(({ name }) => name)).toEqual(['first']);
  });

  it('starts over when the branch moves during the check', async () => {
    const repository = makeRepository();
    let moved = false;
    const { coppice, inside, create } = libraryIn(repository, (message) => {
      if (moved || !message.startsWith('checking')) return;
      moved = true;
      repository.commit('meanwhile', { 'meanwhile.txt': 'm\n' });
    });
    await create('one');
    await inside('one', 'echo 1 > one.txt');
    await coppice.land({ check: 'true' });
    expect(subjects(repository, 'main').slice(0, 2)).toEqual(['Merge environment one', 'meanwhile']);
    expect(repository.git('status', '--porcelain')).toBe('');
  });

  it('blames nobody where the branch itself fails', async () => {
    const repository = makeRepository();
    const { coppice, inside, create } = libraryIn(repository);
    await create('one');
    await inside('one', 'echo 1 > one.txt');
    const before = repository.git('rev-parse', 'main');
    await expect(coppice.land({ check: 'echo broken; exit 3' })).rejects.toMatchObject({
      code: 'check-fails-without',
      data: { exit: 3, output: 'broken\n' },
    });
    expect(repository.git('rev-parse', 'main')).toBe(before);
    await expect(coppice.land({ into: 'nowhere' })).rejects.toMatchObject({ code: 'branch-not-found' });
  });

  it.each(['SIGINT', 'SIGKILL'] as const)('leaves nothing half when %s ends it', async (signal) => {
    const repository = makeRepository();
    const { cli, coppice, inside, create } = libraryIn(repository);
    await create('one', 'two');
    await inside('one', 'echo 1 > one.txt');
    await inside('two', 'echo 2 > two.txt');
    const before = repository.git('for-each-ref', 'refs/heads');
    const child = cli.start(['land', '--check', 'sleep 600', '--jobs', '2']);
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    const checks = () => repository.git('for-each-ref', 'refs/heads/coppice').match(/check-[0-9a-f]{8}/g) ?? [];
    await eventually(() => checks().length === 2);
    child.kill(signal);
    const status = await ended;
    if (signal === 'SIGINT') expect(status).toBe(130);
    else await coppice.list({});
    expect(checks()).toEqual([]);
    expect(repository.git('for-each-ref', 'refs/heads')).toBe(before);
    expect(repository.git('status', '--porcelain')).toBe('');
  });
});
