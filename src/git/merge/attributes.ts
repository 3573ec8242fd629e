/** Lets the attributes of one side of a merge count (`merge=union`, `binary`), without any checkout being read. */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { type BytePath, bytesOf } from '../../domain/byte-path.ts';
import type { Oid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import { readObjects } from '../native/cat-file.ts';
import { directoriesAlong } from '../native/tree-draft.ts';

/** Nothing else in an attributes file changes how contents are merged. */
export const relevant = /merge|binary|conflict-marker-size/;

/** Attribute files by path, each with its content; null where there is none that matters. */
export type AttributeFiles = ReadonlyMap<string, Buffer | null>;

/** Those that can change how `paths` of `tree` merge: many merges in one process. */
export async function readAttributes(
  git: HostGit,
  env: Readonly<Record<string, string>>,
  merges: readonly { readonly tree: Oid; readonly paths: readonly BytePath[] }[],
): Promise<readonly AttributeFiles[]> {
  const wanted = merges.map(({ tree, paths }) => ({ tree, files: paths.length === 0 ? [] : filesAlong(paths) }));
  // Merges with one side in common ask for the same files.
  const names = new Map<string, number>();
  for (const { tree, files } of wanted) {
    for (const file of files) names.set(`${tree}:${file}`, names.get(`${tree}:${file}`) ?? names.size);
  }
  const objects = await readObjects(git, [...names.keys()], env);
  const contentOf = (name: string) => {
    const object = objects[names.get(name) ?? -1];
    return object?.type === 'blob' && relevant.test(object.content.toString('latin1')) ? object.content : null;
  };
  return wanted.map(({ tree, files }) => new Map(files.map((file) => [file, contentOf(`${tree}:${file}`)])));
}

function filesAlong(paths: readonly BytePath[]): readonly string[] {
  const directories = directoriesAlong(paths).map((path) => bytesOf(path as BytePath).toString('utf8'));
  return directories.map((path) => (path === '' ? '.gitattributes' : `${path}/.gitattributes`));
}

export function anyOf(files: AttributeFiles): boolean {
  return [...files.values()].some((content) => content !== null);
}

/** Writes them below `directory`, where git finds them. */
export async function layOutAttributes(files: AttributeFiles, directory: string): Promise<void> {
  for (const [file, content] of files) {
    if (content === null) continue;
    const target = join(directory, file);
    await mkdir(dirname(target), { recursive: true });
    await writeFile(target, content);
  }
}
