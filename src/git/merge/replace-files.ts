/** Swaps staged files in and removed files out; whatever goes wrong, all is put back as it was. */
import { constants } from 'node:fs';
import { copyFile, link, lstat, mkdir, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { BytePath } from '../../domain/byte-path.ts';
import { errnoOf, ifPresent } from '../../platform/errno.ts';
import type { TreeChange } from '../repository.ts';
import { onDisk, parentsOf } from './disk-path.ts';
import type { Staging } from './staging.ts';

type Undo = () => Promise<void>;

/** `here` is a directory that stays even when it gets empty: somebody's shell stands in it. */
export async function replaceFiles(
  worktree: string,
  staging: Staging,
  changes: readonly TreeChange[],
  here: string,
): Promise<void> {
  const undo: Undo[] = [];
  try {
    for (const [index, { path, after }] of changes.entries()) {
      if (after === undefined) await takeOut(worktree, path, join(staging.replaced, String(index)), here, undo);
    }
    for (const [index, { path, after }] of changes.entries()) {
      if (after !== undefined) await putIn(worktree, path, staging, join(staging.replaced, String(index)), undo);
    }
  } catch (error) {
    for (const step of undo.toReversed()) await step();
    throw error;
  }
}

/** The file, then its parents as long as they are empty. */
async function takeOut(worktree: string, path: BytePath, kept: string, here: string, undo: Undo[]): Promise<void> {
  const target = onDisk(worktree, path);
  if ((await ifPresent(rename(target, kept).then(() => true))) === undefined) return;
  undo.push(() => rename(kept, target));
  for (const parent of parentsOf(path)) {
    const directory = onDisk(worktree, parent);
    if (`${here}/`.startsWith(`${directory.toString('utf8')}/`) || !(await removeEmpty(directory))) return;
    undo.push(async () => void (await mkdir(directory)));
  }
}

async function putIn(worktree: string, path: BytePath, staging: Staging, kept: string, undo: Undo[]): Promise<void> {
  const target = onDisk(worktree, path);
  for (const parent of parentsOf(path).toReversed()) await makeDirectory(onDisk(worktree, parent), undo);
  const there = await ifPresent(lstat(target));
  if (there?.isDirectory()) await removeEmptyTree(target, undo);
  else if (there !== undefined) await keep(target, kept, there.isFile());
  await rename(onDisk(staging.files, path), target);
  undo.push(() => (there === undefined || there.isDirectory() ? unlink(target) : rename(kept, target)));
}

/** Under a second name, so that the first is never without a file. */
async function keep(target: Buffer, kept: string, isFile: boolean): Promise<void> {
  try {
    await link(target, kept);
  } catch (error) {
    // Some file systems have no hard links.
    if (!isFile || (errnoOf(error) !== 'EPERM' && errnoOf(error) !== 'ENOTSUP')) throw error;
    await copyFile(target, kept, constants.COPYFILE_FICLONE);
  }
}

async function makeDirectory(directory: Buffer, undo: Undo[]): Promise<void> {
  try {
    await mkdir(directory);
    undo.push(() => rmdir(directory));
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
}

async function removeEmpty(directory: Buffer): Promise<boolean> {
  try {
    await rmdir(directory);
    return true;
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST', 'ENOENT', 'EBUSY'].includes(errnoOf(error) ?? '')) return false;
    throw error;
  }
}

/** Only directories are left in it: `obstacles` has made sure. */
async function removeEmptyTree(directory: Buffer, undo: Undo[]): Promise<void> {
  for (const entry of await readdir(directory, { encoding: 'buffer' })) {
    await removeEmptyTree(Buffer.concat([directory, Buffer.from('/'), entry]), undo);
  }
  await rmdir(directory);
  undo.push(async () => void (await mkdir(directory)));
}
