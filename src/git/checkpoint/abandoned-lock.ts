/**
 * Removes the lock file of a branch that a git of ours left behind when it was killed (out of memory, an impatient
 * person): git itself never does, and the branch could not move again until somebody looked. A lock that may be
 * somebody else's is left alone.
 */
import { lstat, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Oid } from '../../domain/oid.ts';
import type { RefName } from '../../domain/ref-name.ts';
import { ifPresent } from '../../platform/errno.ts';

/** Milliseconds: git fills a lock right after it made it. One that stays empty has nobody who would. */
const filling = 250;

/** What a lock file of a branch says; undefined when there is none. */
export async function readLock(
  commonDirectory: string,
  branch: RefName,
): Promise<{ readonly text: string; readonly path: string; readonly ino: number } | undefined> {
  const path = join(commonDirectory, `${branch}.lock`);
  const [found, text] = await Promise.all([ifPresent(lstat(path)), ifPresent(readFile(path, 'latin1'))]);
  return found === undefined || text === undefined ? undefined : { text: text.trim(), path, ino: found.ino };
}

/** For when the git that was to move the branch to `after` has been killed: only it could write that name there. */
export async function removeLockOf(commonDirectory: string, branch: RefName, after: Oid): Promise<void> {
  const lock = await readLock(commonDirectory, branch);
  if (lock === undefined || (lock.text !== '' && lock.text !== after)) return;
  if (lock.text === '') {
    await new Promise((resolve) => setTimeout(resolve, filling));
    const later = await readLock(commonDirectory, branch);
    if (later === undefined || later.ino !== lock.ino || later.text !== '') return;
  }
  await rm(lock.path, { force: true });
}
