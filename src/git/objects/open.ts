/** Chooses how a long-lived process reads objects: isomorphic-git in process where it is right and cheap, else native git. */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { ObjectFormat } from '../../domain/oid.ts';
import { ifPresent } from '../../platform/errno.ts';
import type { HostGit } from '../host-git.ts';
import { nativeObjects } from './native.ts';
import type { ObjectReader } from './object-reader.ts';
import { readerFrom } from './reader-from.ts';

/**
 * It keeps whole packs in memory: 270 MB of packs took 670 MB and half a second at the first read (FACTS). Above this many
 * bytes of packs a process a read is cheaper.
 */
const mostPackBytes = 64 * 2 ** 20;

export async function openObjects(
  git: HostGit,
  repository: { readonly commonDirectory: string; readonly objectFormat: ObjectFormat },
): Promise<ObjectReader> {
  const { commonDirectory, objectFormat } = repository;
  const native = nativeObjects(git);
  if (
    objectFormat !== 'sha1' ||
    (await borrows(commonDirectory)) ||
    (await packBytes(commonDirectory)) > mostPackBytes
  ) {
    return readerFrom(objectFormat, [native]);
  }
  // 135 ms to load, which only a process that stays gets back.
  const { isomorphicObjects } = await import('./isomorphic.ts');
  return readerFrom(objectFormat, [isomorphicObjects(commonDirectory), native]);
}

/** It does not follow alternates. */
async function borrows(commonDirectory: string): Promise<boolean> {
  return (await ifPresent(stat(join(commonDirectory, 'objects/info/alternates')))) !== undefined;
}

async function packBytes(commonDirectory: string): Promise<number> {
  const folder = join(commonDirectory, 'objects/pack');
  const names = ((await ifPresent(readdir(folder))) ?? []).filter((name) => name.endsWith('.pack'));
  const sizes = await Promise.all(names.map((name) => ifPresent(stat(join(folder, name)))));
  return sizes.reduce((sum, found) => sum + (found?.size ?? 0), 0);
}
