/** The disk under the repository fills up at different points of a checkpoint, and is freed again. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openPackWriter } from '../../src/git/checkpoint/pack.ts';
import { eventually } from '../support/eventually.ts';
import { makeRepository } from '../support/repository.ts';
import { fill, putOnSmallDisk } from './disk.ts';
import { expectNothingLost, expectSaved, type Ground, makeGround, tipOf, watch } from './ground.ts';
import { openWriter, randomFrom } from './writer.ts';

it.each([
  { what: 'the objects', where: 'objects', seed: 1 },
  { what: 'the whole repository', where: '', seed: 2 },
])('of $what (seed $seed)', async ({ where, seed }) => {
  const ground = await makeGround();
  const disk = join(ground.common, where);
  putOnSmallDisk(ground, disk, '8m');
  // While the disk is there: without it nothing is known of the environment, and its sandbox would be left.
  onTestFinished(async () => expect(await ground.cli.run(['remove', '--force', 'one'])).toMatchObject({ status: 0 }));
  const watching = await watch(ground);
  await watching.ready('one');
  const writer = openWriter(ground.tree('one'), randomFrom(seed));
  for (const left of [0, 4_096, 16_384, 65_536]) {
    const free = fill(disk, left);
    const before = tipOf(ground, 'one');
    writer.work(10);
    writeFileSync(join(ground.tree('one'), 'noise.bin'), noise(400_000, seed + left));
    await eventually(
      () => watching.status('one').lastError?.code === 'disk-full',
      () => JSON.stringify(watching.status('one')),
    );
    expect(tipOf(ground, 'one')).toBe(before);
    expect(strays(ground)).toEqual([]);
    free();
    await expectSaved(ground, 'one');
    await eventually(() => watching.status('one').lastError === null);
  }
  expectNothingLost(ground, 'one');
});

it('in the middle of a large pack: a write that was only half done is noticed at once', async () => {
  const repository = makeRepository();
  const objects = join(repository.path, '.git/objects');
  putOnSmallDisk({ repository }, objects, '12m');
  const pack = openPackWriter(join(objects, 'pack'), 'sha1');
  onTestFinished(() => pack.release());
  // 8 MiB of compressed content go to the disk at a time.
  await pack.add('blob', noise(9 * 2 ** 20, 3));
  await expect(pack.add('blob', noise(9 * 2 ** 20, 4))).rejects.toMatchObject({ code: 'disk-full' });
});

/** Does not compress. */
function noise(size: number, seed: number): Buffer {
  const random = randomFrom(seed);
  return Buffer.from(Uint8Array.from({ length: size }, () => random(256)));
}

/** Files in the pack directory that belong to no pack. */
function strays(ground: Ground): readonly string[] {
  return readdirSync(join(ground.common, 'objects/pack')).filter((name) => !/^pack-\w+\.(?:pack|idx|rev)$/.test(name));
}
