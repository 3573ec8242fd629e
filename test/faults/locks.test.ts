/** Lock files that others hold, or left behind: checkpoints need none of the indexes, and wait for the branch's. */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { eventually } from '../support/eventually.ts';
import { expectNothingLost, expectSaved, type Ground, makeGround, tipOf, watch } from './ground.ts';
import { openWriter, randomFrom } from './writer.ts';

function packs(ground: Ground): number {
  return readdirSync(join(ground.common, 'objects/pack')).filter((name) => name.endsWith('.idx')).length;
}

it.each([5])('the index of the worktree and of the checkout are locked all the time (seed %i)', async (seed) => {
  const ground = await makeGround();
  const locks = ['index.lock', 'worktrees/coppice-one/index.lock'].map((path) => join(ground.common, path));
  for (const lock of locks) writeFileSync(lock, 'somebody');
  const index = readFileSync(join(ground.common, 'index'));
  const watching = await watch(ground);
  await watching.ready('one');
  const writer = openWriter(ground.tree('one'), randomFrom(seed));
  for (let round = 0; round < 5; round++) {
    writer.work(20);
    await expectSaved(ground, 'one');
  }
  expect(watching.status('one').lastError).toBeNull();
  expect(locks.map((lock) => readFileSync(lock, 'latin1'))).toEqual(['somebody', 'somebody']);
  expect(readFileSync(join(ground.common, 'index')).equals(index)).toBe(true);
  for (const lock of locks) rmSync(lock);
  writer.work(5);
  await expectSaved(ground, 'one');
  await eventually(() => ground.repository.gitIn(ground.tree('one'), 'status', '--porcelain') === '');
  expectNothingLost(ground, 'one');
});

it('the branch is locked, for a moment and for longer than anybody waits', async () => {
  const ground = await makeGround();
  const lock = join(ground.common, 'refs/heads/coppice/one.lock');
  const watching = await watch(ground);
  await watching.ready('one');
  writeFileSync(lock, '');
  const before = packs(ground);
  writeFileSync(join(ground.tree('one'), 'moment.txt'), 'm\n');
  await eventually(() => packs(ground) > before);
  rmSync(lock);
  await expectSaved(ground, 'one');
  expect(watching.events.filter(({ type }) => type === 'error')).toEqual([]);

  writeFileSync(lock, `${tipOf(ground, 'one')}\n`);
  writeFileSync(join(ground.tree('one'), 'long.txt'), 'l\n');
  await eventually(() => watching.status('one').lastError?.code === 'ref-locked');
  expect(existsSync(lock)).toBe(true);
  rmSync(lock);
  await expectSaved(ground, 'one');
  expectNothingLost(ground, 'one');
});
