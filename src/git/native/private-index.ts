/** A copy of a checkout's index that git may change while the real one stays as it is. */
import { copyFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ifPresent } from '../../platform/errno.ts';

/** Runs `body` with the path of such a copy (absent where the checkout has no index yet); gone afterwards. */
export async function withPrivateIndex<Result>(
  commonDirectory: string,
  gitDirectory: string,
  body: (index: string) => Promise<Result>,
): Promise<Result> {
  const folder = join(commonDirectory, 'coppice', 'tmp');
  await mkdir(folder, { recursive: true });
  const directory = await mkdtemp(join(folder, 'index-'));
  try {
    const index = join(directory, 'index');
    await ifPresent(copyFile(join(gitDirectory, 'index'), index));
    return await body(index);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
