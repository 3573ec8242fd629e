/** Where the objects of merges that nobody keeps are written: in memory, where the system has a place for it. */
import { access, constants, lstat, readdir, rm, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { errnoOf } from '../../platform/errno.ts';
import { quarantinePrefix, sharedMemory } from './quarantine.ts';

const tmpfs = 0x01021994;
/** Bytes; in containers it is often smaller. */
const least = 256 * 2 ** 20;

/** A batch leaves thousands of small files for a moment, which on some file systems take far longer than the merges. */
export async function scratchInMemory(otherwise: string): Promise<string> {
  try {
    await access(sharedMemory, constants.W_OK | constants.X_OK);
    const { type, bavail, bsize } = await statfs(sharedMemory);
    if (type !== tmpfs || bavail * bsize < least) return otherwise;
    await sweep();
    return sharedMemory;
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return otherwise;
  }
}

/** Milliseconds after which nothing is still merging there. */
const abandonedAfter = 2 * 3_600_000;

/** What a killed process left would stay in memory until the machine is started again. */
async function sweep(): Promise<void> {
  const uid = process.getuid?.();
  const before = Date.now() - abandonedAfter;
  for (const name of await readdir(sharedMemory)) {
    if (!name.startsWith(quarantinePrefix)) continue;
    const path = join(sharedMemory, name);
    const stats = await lstat(path).catch(() => undefined);
    if (stats?.uid === uid && stats !== undefined && stats.mtimeMs < before) {
      await rm(path, { recursive: true, force: true });
    }
  }
}
