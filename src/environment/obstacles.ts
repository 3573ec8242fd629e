/** What stands where files have to go and is recorded nowhere: ignored files, mostly. Looks, and changes nothing. */
import { type BytePath, joinPath } from '../domain/byte-path.ts';
import type { TreeChange } from '../git/repository.ts';
import { closeDirectory, namesIn, openDirectory, openTree, statAt } from '../platform/tree-reader.ts';

/** Enough to see what the matter is. */
const most = 100;

/** Paths that would be destroyed. What the changes themselves replace or remove is recorded, so it may go. */
export function obstacles(tree: string, changes: readonly TreeChange[]): readonly BytePath[] {
  const leaving = new Set(changes.flatMap(({ path, before }) => (before === undefined ? [] : [path])));
  const found = new Set<BytePath>();
  const root = openTree(tree);
  try {
    for (const { path, after } of changes) {
      if (after !== undefined && found.size < most) lookAlong(root, path.split('/'), '', leaving, found);
    }
  } finally {
    closeDirectory(root);
  }
  return [...found].sort();
}

function lookAlong(
  parent: number,
  names: readonly string[],
  above: BytePath | '',
  leaving: ReadonlySet<BytePath>,
  found: Set<BytePath>,
): void {
  const [name = '', ...rest] = names;
  const path = joinPath(above, name);
  const stat = statAt(parent, name);
  if (typeof stat === 'string') return;
  if (stat.kind !== 'directory') {
    if (!leaving.has(path)) found.add(path);
    return;
  }
  const directory = openDirectory(parent, name);
  if (typeof directory !== 'number') return;
  try {
    if (rest.length > 0) lookAlong(directory, rest, path, leaving, found);
    else lookBelow(directory, path, leaving, found);
  } finally {
    closeDirectory(directory);
  }
}

/** A directory where a file has to go: everything in it must be leaving. */
function lookBelow(directory: number, above: BytePath, leaving: ReadonlySet<BytePath>, found: Set<BytePath>): void {
  const names = namesIn(directory);
  if (typeof names === 'string') {
    found.add(above);
    return;
  }
  for (const name of names) {
    if (found.size >= most) return;
    const path = joinPath(above, name);
    const below = openDirectory(directory, name);
    if (typeof below !== 'number') {
      if (!leaving.has(path)) found.add(path);
      continue;
    }
    try {
      lookBelow(below, path, leaving, found);
    } finally {
      closeDirectory(below);
    }
  }
}
