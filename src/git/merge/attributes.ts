/** Lets the attributes of one side of a merge count (`merge=union`, `binary`), without any checkout being read. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BytePath, bytesOf } from '../../domain/byte-path.ts';
import type { Oid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import { readObjects } from '../native/cat-file.ts';
import { directoriesAlong } from '../native/tree-draft.ts';

/** Nothing else in an attributes file changes how contents are merged. */
const relevant = /merge|binary|conflict-marker-size/;

/**
 * Writes those `.gitattributes` of `tree` that can change how `paths` merge below `directory`. False when there are none.
 */
export async function layOutAttributes(
  git: HostGit,
  env: Readonly<Record<string, string>>,
  tree: Oid,
  paths: readonly BytePath[],
  directory: string,
): Promise<boolean> {
  if (paths.length === 0) return false;
  const files = directoriesAlong(paths).map((path) => (path === '' ? '.gitattributes' : `${path}/.gitattributes`));
  const text = (path: string) => bytesOf(path as BytePath).toString('utf8');
  const objects = await readObjects(
    git,
    files.map((file) => `${tree}:${text(file)}`),
    env,
  );
  let any = false;
  for (const [index, file] of files.entries()) {
    const object = objects[index];
    if (object?.type !== 'blob' || !relevant.test(object.content.toString('latin1'))) continue;
    const target = join(directory, text(file));
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, object.content);
    any = true;
  }
  return any;
}
