/** Others at work on the references and packs of the same repository, with git's own commands, at the same time. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openPackWriter } from '../../src/git/checkpoint/pack.ts';
import { eventually } from '../support/eventually.ts';
import { makeRepository } from '../support/repository.ts';
import { expectNothingLost, expectSaved, type Ground, makeGround, tipOf, type Watching, watch } from './ground.ts';
import { openWriter, randomFrom } from './writer.ts';

const branch = 'refs/heads/coppice/one';

/** Not in this process' way. Resolves to the exit status. */
function git(ground: Ground, ...args: readonly string[]): Promise<number | null> {
  return new Promise((resolve) => {
    const child = spawn('git', args, { cwd: ground.repository.path, env: ground.repository.env, stdio: 'ignore' });
    child.on('close', resolve);
  });
}

const madeIn = ({ events }: Watching) => events.flatMap((event) => (event.type === 'checkpoint' ? [event.oid] : []));

it.each([11])('packs and references are collected and pruned while work goes on (seed %i)', async (seed) => {
  const random = randomFrom(seed);
  const ground = await makeGround();
  const watching = await watch(ground);
  await watching.ready('one');
  const writer = openWriter(ground.tree('one'), random);
  const chores: readonly (readonly string[])[] = [
    ['gc', '-q', '--prune=now'],
    ['repack', '-a', '-d', '-q'],
    ['pack-refs', '--all', '--prune'],
    ['prune', '--expire=now'],
  ];
  for (let round = 0; round < 16; round++) {
    const chore = git(ground, ...(chores[round % chores.length] ?? []));
    let over = false;
    void chore.then(() => {
      over = true;
    });
    for (let written = 0; !over; written++) {
      writer.work(3);
      // Large enough to be on disk before it is a pack.
      if (written === 0) writeFileSync(join(ground.tree('one'), 'large.bin'), randomBytes(9 * 2 ** 20));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  await expectSaved(ground, 'one');
  const errors = watching.events.filter(({ type }) => type === 'error');
  expect(errors).toEqual([]);
  expectNothingLost(ground, 'one', madeIn(watching));
});

it('what a checkpoint has written is not pruned before its branch has moved', async () => {
  const ground = await makeGround();
  const watching = await watch(ground);
  await watching.ready('one');
  const count = (end: string) =>
    readdirSync(join(ground.common, 'objects/pack')).filter((name) => name.endsWith(end)).length;
  const packs = () => count('.idx');
  const keeps = () => count('.keep');
  const lock = join(ground.common, `${branch}.lock`);
  const before = packs();
  writeFileSync(lock, '');
  writeFileSync(join(ground.tree('one'), 'new.txt'), 'new\n');
  await eventually(() => packs() > before);
  // What `git gc --prune=now` runs; it would itself wait for the lock.
  expect(await git(ground, 'repack', '-a', '-d', '-q')).toBe(0);
  expect(await git(ground, 'prune', '--expire=now')).toBe(0);
  rmSync(lock);
  await expectSaved(ground, 'one');
  await eventually(() => keeps() === 0);
  expect(watching.events.filter(({ type }) => type === 'error')).toEqual([]);
  expectNothingLost(ground, 'one', madeIn(watching));
});

it('a pack that is being written is nothing to prune, and nothing to read', async () => {
  const repository = makeRepository();
  const pack = openPackWriter(join(repository.path, '.git/objects/pack'), 'sha1');
  onTestFinished(() => pack.release());
  // Large enough to be on disk before it is a pack.
  const oid = await pack.add('blob', randomBytes(9 * 2 ** 20));
  repository.git('prune', '--expire=now');
  repository.git('repack', '-a', '-d', '-q');
  expect(repository.git('count-objects', '-v')).toContain('packs: 1\n');
  await pack.finish();
  expect(repository.git('cat-file', '-t', oid)).toBe('blob');
  repository.git('fsck', '--strict', '--no-dangling');
});

it.each([12])('the branch is moved, deleted and put back by hand (seed %i)', async (seed) => {
  const random = randomFrom(seed);
  const ground = await makeGround();
  const { repository } = ground;
  const watching = await watch(ground);
  await watching.ready('one');
  const writer = openWriter(ground.tree('one'), random);
  for (let round = 0; round < 6; round++) {
    writer.work(10);
    await expectSaved(ground, 'one');
    const tip = tipOf(ground, 'one');
    const foreign = repository.commit(`foreign ${round}`, { [`foreign${round}.txt`]: `${round}\n` });
    if (round % 3 === 0) repository.git('update-ref', branch, foreign);
    else if (round % 3 === 1) repository.git('update-ref', branch, repository.git('rev-parse', `${branch}~1`));
    else {
      repository.git('update-ref', '-d', branch, tip);
      writer.work(3);
      await eventually(
        () => watching.status('one').lastError?.code === 'branch-missing',
        () => JSON.stringify(watching.status('one')),
      );
      repository.git('gc', '-q', '--prune=now');
      repository.git('update-ref', branch, foreign);
    }
    writer.work(3);
    await expectSaved(ground, 'one');
    repository.git('reflog', 'expire', '--expire=now', '--all');
    repository.git('gc', '-q', '--prune=now');
  }
  expectNothingLost(ground, 'one', madeIn(watching));
});
