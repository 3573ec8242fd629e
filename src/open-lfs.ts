/** Git LFS as this repository and this machine have it. */
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { type LfsStore, openLfsStore } from './git/lfs/store.ts';
import type { Repository } from './git/repository.ts';

/** git-lfs keeps content in the git directory unless `lfs.storage` says otherwise (git-lfs-config(5)). */
export function lfsOf(repository: Repository): LfsStore {
  return openLfsStore(async () => {
    const configured = await repository.config('lfs.storage');
    return configured === undefined
      ? join(repository.commonDirectory, 'lfs')
      : resolve(repository.commonDirectory, configured);
  });
}

export async function isOnPath(path: string, program: string): Promise<boolean> {
  const places = path.split(':').filter((directory) => directory !== '');
  const found = await Promise.all(
    places.map((directory) =>
      access(join(directory, program), constants.X_OK).then(
        () => true,
        () => false,
      ),
    ),
  );
  return found.includes(true);
}
