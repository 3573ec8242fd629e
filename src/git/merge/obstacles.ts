/** What no merge sees: things on disk that git does not track, where files or their directories must go. Only looks. */
import { lstat, readdir } from 'node:fs/promises';
import { type BytePath, bytePathFromBuffer, joinPath } from '../../domain/byte-path.ts';
import { ifPresent } from '../../platform/errno.ts';
import type { TreeChange } from '../repository.ts';
import { onDisk, parentsOf } from './disk-path.ts';

export async function obstacles(worktree: string, changes: readonly TreeChange[]): Promise<readonly BytePath[]> {
  const leaving = new Set(changes.filter(({ after }) => after === undefined).map(({ path }) => path));
  const found = new Set<BytePath>();
  for (const { path, after } of changes) {
    if (after === undefined) continue;
    for (const obstacle of await obstaclesTo(worktree, path, leaving)) found.add(obstacle);
  }
  return [...found].sort();
}

async function obstaclesTo(
  worktree: string,
  path: BytePath,
  leaving: ReadonlySet<BytePath>,
): Promise<readonly BytePath[]> {
  for (const parent of parentsOf(path)) {
    const above = await ifPresent(lstat(onDisk(worktree, parent)));
    if (above === undefined || above.isDirectory()) continue;
    return leaving.has(parent) ? [] : [parent];
  }
  const there = await ifPresent(lstat(onDisk(worktree, path)));
  if (there?.isDirectory()) return (await filesBelow(worktree, path)).filter((file) => !leaving.has(file));
  return there === undefined || there.isFile() || there.isSymbolicLink() ? [] : [path];
}

async function filesBelow(worktree: string, directory: BytePath): Promise<readonly BytePath[]> {
  const files: BytePath[] = [];
  for (const entry of await readdir(onDisk(worktree, directory), { withFileTypes: true, encoding: 'buffer' })) {
    const path = joinPath(directory, bytePathFromBuffer(entry.name));
    if (entry.isDirectory()) files.push(...(await filesBelow(worktree, path)));
    else files.push(path);
  }
  return files;
}
