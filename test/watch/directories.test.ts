import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { directoryWatcher } from '../../src/watch/directories.ts';
import { eventually, hangs } from '../support/eventually.ts';
import { temporaryDirectory } from '../support/repository.ts';
import { observe, watcherContract } from './contract.ts';

watcherContract('the directory watcher', () => directoryWatcher());

describe('the directory watcher', () => {
  test('degrades once and gives its watches back when its budget is used up, whichever tree asks', async () => {
    const watcher = directoryWatcher({ limit: 5 });
    const [small, large] = [temporaryDirectory(), temporaryDirectory()];
    mkdirSync(join(small, 'a'));
    for (let index = 0; index < 9; index++) mkdirSync(join(large, `d${index}`));
    const first = await observe(watcher, small);
    const second = await observe(watcher, large);
    expect(first.degraded).toEqual([]);
    expect(second.degraded).toEqual(['more than 5 directories would have to be watched']);
    expect([first.watch.size, second.watch.size]).toEqual([2, 0]);
    for (let index = 0; index < 3; index++) mkdirSync(join(small, `later${index}`));
    await first.hinted('later2');
    const third = await observe(watcher, small);
    expect(third.degraded).toHaveLength(1);
  });

  test('degrades when a burst goes over the budget later', async () => {
    const root = temporaryDirectory();
    const observed = await observe(directoryWatcher({ limit: 3 }), root);
    for (let index = 0; index < 9; index++) mkdirSync(join(root, `d${index}`));
    await expect.poll(() => observed.degraded.length, { timeout: hangs }).toBe(1);
    expect(observed.watch.size).toBe(0);
  });

  test('gives back the watches of directories that were removed or moved away', async () => {
    const [root, outside] = [temporaryDirectory(), temporaryDirectory()];
    for (const top of ['removed', 'moved', 'stays']) {
      for (let index = 0; index < 20; index++) mkdirSync(join(root, top, `d${index}/e`), { recursive: true });
    }
    const observed = await observe(directoryWatcher({ limit: 150 }), root);
    expect(observed.watch.size).toBe(124);
    for (let round = 0; round < 4; round++) {
      renameSync(join(root, 'moved'), join(outside, 'moved'));
      rmSync(join(root, 'removed'), { recursive: true });
      await eventually(() => observed.watch.size === 42);
      renameSync(join(outside, 'moved'), join(root, 'moved'));
      for (let index = 0; index < 20; index++) mkdirSync(join(root, `removed/d${index}/e`), { recursive: true });
      await eventually(() => observed.watch.size === 124);
    }
    expect(observed.degraded).toEqual([]);
  });

  test('hints names that are not UTF-8 byte by byte', async () => {
    const root = temporaryDirectory();
    const observed = await observe(directoryWatcher(), root);
    const name = Buffer.from([0x66, 0xff, 0xfe]);
    mkdirSync(Buffer.concat([Buffer.from(`${root}/`), name]));
    writeFileSync(Buffer.concat([Buffer.from(`${root}/`), name, Buffer.from('/file')]), 'x');
    await expect.poll(() => observed.hints.has(name.toString('latin1')), { timeout: hangs }).toBe(true);
    await expect
      .poll(
        () => {
          writeFileSync(Buffer.concat([Buffer.from(`${root}/`), name, Buffer.from('/later')]), 'x');
          return observed.hints.has(`${name.toString('latin1')}/later`);
        },
        { timeout: hangs },
      )
      .toBe(true);
  });

  test('leaves trees that are nested too deep to scans', async () => {
    const root = temporaryDirectory();
    mkdirSync(join(root, 'd/'.repeat(120)), { recursive: true });
    const observed = await observe(directoryWatcher(), root);
    expect(observed.degraded).toEqual(['directories are nested more than 100 deep']);
  });

  test('finds its root again when another directory takes its place', async () => {
    const root = join(temporaryDirectory(), 'tree');
    mkdirSync(join(root, 'old'), { recursive: true });
    const other = temporaryDirectory();
    mkdirSync(join(other, 'sub'));
    const observed = await observe(directoryWatcher(), root);
    renameSync(root, `${root}-away`);
    renameSync(other, root);
    await observed.hinted('sub');
    await expect
      .poll(
        () => {
          writeFileSync(join(root, 'sub/later'), 'x');
          return observed.degraded.length > 0 || observed.hints.has('sub/later');
        },
        { timeout: hangs },
      )
      .toBe(true);
  });
});
