/** A tree being edited: only the directories along the edited paths are known, the rest stays as object names. Pure. */
import type { BytePath } from '../../domain/byte-path.ts';
import { CoppiceError } from '../../domain/error.ts';
import type { Oid } from '../../domain/oid.ts';
import type { ListedEntry } from '../repository.ts';

export interface Leaf {
  readonly mode: ListedEntry['mode'];
  readonly oid: Oid;
}

/** A directory whose entries are known. */
export interface Directory {
  readonly entries: Map<string, Leaf | Directory>;
}

export function isDirectory(entry: Leaf | Directory | undefined): entry is Directory {
  return entry !== undefined && 'entries' in entry;
}

/** Components of a path; throws a bug for what git would not record. */
export function componentsOf(path: BytePath): readonly string[] {
  const components = path.split('/');
  if (
    components.every(
      (part) => part !== '' && part !== '.' && part !== '..' && !/^\.git$/i.test(part) && !part.includes('\0'),
    )
  )
    return components;
  throw new CoppiceError('bug', 'unrecordable-path', `${JSON.stringify(path)} cannot be recorded in a tree.`);
}

/** Every directory that contains one of the paths, parents before children, '' for the root. */
export function directoriesAlong(paths: readonly BytePath[]): readonly (BytePath | '')[] {
  const along = new Set<BytePath | ''>(['']);
  for (const path of paths) {
    const parts = componentsOf(path);
    for (let depth = 1; depth < parts.length; depth++) along.add(parts.slice(0, depth).join('/') as BytePath);
  }
  return [...along].sort();
}

/** Makes a directory out of what was read; its subdirectories are leaves until they are grown in turn. */
export function directoryOf(entries: readonly ListedEntry[]): Directory {
  return { entries: new Map(entries.map(({ path, mode, oid }) => [path, { mode, oid }])) };
}

/** Puts `grown` in place of the leaf at `path`, if its parent is known and it is there. */
export function grow(root: Directory, path: BytePath, grown: Directory): void {
  const parts = componentsOf(path);
  const parent = walk(root, parts.slice(0, -1));
  const name = parts.at(-1) ?? '';
  if (parent?.entries.has(name)) parent.entries.set(name, grown);
}

function walk(root: Directory, parts: readonly string[]): Directory | undefined {
  let at: Directory | undefined = root;
  for (const part of parts) {
    const next: Leaf | Directory | undefined = at?.entries.get(part);
    at = isDirectory(next) ? next : undefined;
  }
  return at;
}

/** Sets a path, making directories (over files in the way), or removes it together with directories it leaves empty. */
export function edit(directory: Directory, parts: readonly string[], leaf: Leaf | null): void {
  const [name, ...rest] = parts;
  if (name === undefined) return;
  if (rest.length === 0) {
    if (leaf === null) directory.entries.delete(name);
    else directory.entries.set(name, leaf);
    return;
  }
  const found = directory.entries.get(name);
  const child: Directory | undefined = isDirectory(found) ? found : undefined;
  if (child === undefined && leaf === null) return;
  const next = child ?? { entries: new Map() };
  edit(next, rest, leaf);
  if (next.entries.size === 0) directory.entries.delete(name);
  else directory.entries.set(name, next);
}
