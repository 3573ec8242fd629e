/** Events that never come, directories that move, files that never rest: the scan is the truth. */
import { appendFileSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Watcher } from '../../src/watch/watch.ts';
import { expectNothingLost, expectSaved, makeGround, tipOf, watch } from './ground.ts';
import { openWriter, randomFrom } from './writer.ts';

it.each([6])('every event is lost (seed %i)', async (seed) => {
  const deaf: Watcher = { watch: async () => ({ size: 1, close: async () => undefined }) };
  const ground = await makeGround();
  const watching = await watch(ground, { watchers: { tree: deaf, git: deaf } });
  await watching.ready('one');
  const writer = openWriter(ground.tree('one'), randomFrom(seed));
  for (let round = 0; round < 4; round++) {
    writer.work(40);
    await expectSaved(ground, 'one');
  }
  expect(watching.status('one').missed).toBeGreaterThan(0);
  expectNothingLost(ground, 'one');
});

it('directories are renamed: large ones, over others, into and out of what is ignored', async () => {
  const ground = await makeGround();
  const at = (path: string) => join(ground.tree('one'), path);
  const watching = await watch(ground);
  await watching.ready('one');
  for (const name of ['large', 'large/a/b', 'ignored', 'other']) mkdirSync(at(name), { recursive: true });
  for (let file = 0; file < 3_000; file++)
    writeFileSync(at(`large/${file % 3 === 0 ? 'a/b/' : ''}${file}`), `${file}\n`);
  for (const file of ['ignored/i', 'other/o']) writeFileSync(at(file), file);
  await expectSaved(ground, 'one');
  const renames: readonly (readonly [string, string])[] = [
    ['large', 'renamed'],
    ['renamed', 'ignored/renamed'],
    ['ignored/renamed', 'other/back'],
    ['other/back/a', 'a'],
    ['other', 'ignored/other'],
    ['ignored', 'visible'],
    ['visible', 'ignored'],
    ['ignored/other', 'other'],
    ['a', 'other/a'],
  ];
  for (const [from, to] of renames) {
    renameSync(at(from), at(to));
    await expectSaved(ground, 'one');
  }
  // Faster than anybody looks, and names change places.
  for (let round = 0; round < 25; round++) {
    renameSync(at('other'), at('ignored/away'));
    mkdirSync(at('other'));
    writeFileSync(at(`other/${round}`), `${round}\n`);
    renameSync(at('other'), at('third'));
    renameSync(at('ignored/away'), at('other'));
    renameSync(at('third'), at(`other/moved${round}`));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await expectSaved(ground, 'one');
  expectNothingLost(ground, 'one');
});

it('a file is appended to and another rewritten for seconds: saved meanwhile, and whole at the end', async () => {
  const ground = await makeGround();
  const at = (path: string) => join(ground.tree('one'), path);
  const watching = await watch(ground);
  await watching.ready('one');
  const until = performance.now() + 4_000;
  const before = tipOf(ground, 'one');
  let log = '';
  for (let line = 0; performance.now() < until; line++) {
    const text = `${line} ${'x'.repeat(line % 200)}\n`;
    appendFileSync(at('growing.log'), text);
    log += text;
    if (line % 50 === 0) writeFileSync(at('rewritten.bin'), Buffer.alloc(2_000_000, line));
    await new Promise((resolve) => setImmediate(resolve));
  }
  const made = ground.repository.git('rev-list', '--first-parent', `${before}..coppice/one`).split('\n');
  expect(made.length, 'checkpoints while it was written').toBeGreaterThan(1);
  await expectSaved(ground, 'one');
  for (const commit of made) {
    const saved = ground.repository.git('ls-tree', '--name-only', commit).includes('growing.log')
      ? ground.repository.git('cat-file', 'blob', `${commit}:growing.log`)
      : '';
    expect(log.startsWith(saved), `${commit} has a part of the file that never was`).toBe(true);
  }
  expectNothingLost(ground, 'one');
});
