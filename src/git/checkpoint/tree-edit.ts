/** Trees as a function of changes: the new root for a set of changed paths, and the paths in which two roots differ. */
import { type BytePath, joinPath } from '../../domain/byte-path.ts';
import type { TreeEntry } from '../../domain/change.ts';
import type { Oid } from '../../domain/oid.ts';
import { encodeTree, isTreeMode, type RawEntry, type Tree, treeMode } from './objects.ts';
import type { PackWriter } from './pack.ts';
import type { Trees } from './trees.ts';

/** What each changed path is from now on; undefined: gone. */
export type Edits = ReadonlyMap<BytePath, TreeEntry | undefined>;

interface EditNode {
  /** undefined: nothing is said about this path itself. */
  entry?: TreeEntry | 'gone';
  children?: Map<string, EditNode>;
}

/** Rewrites only the trees along changed paths; directories left empty vanish. Returns the new root. */
export async function editTree(trees: Trees, pack: PackWriter, root: Oid, edits: Edits): Promise<Oid> {
  const edited = await editNode(trees, pack, root, nest(edits));
  if (edited !== undefined) return edited;
  const empty = await pack.add('tree', Buffer.alloc(0));
  trees.put(empty, new Map());
  return empty;
}

function nest(edits: Edits): EditNode {
  const root: EditNode = {};
  for (const [path, entry] of edits) {
    let node = root;
    for (const name of path.split('/')) {
      node.children ??= new Map();
      let child = node.children.get(name);
      if (child === undefined) {
        child = {};
        node.children.set(name, child);
      }
      node = child;
    }
    node.entry = entry ?? 'gone';
  }
  return root;
}

async function editNode(
  trees: Trees,
  pack: PackWriter,
  old: Oid | undefined,
  node: EditNode,
): Promise<Oid | undefined> {
  const tree = new Map<string, RawEntry>(old === undefined ? [] : await trees.read(old));
  for (const [name, child] of node.children ?? []) {
    const edited = await editedEntry(trees, pack, tree.get(name), child);
    if (edited === undefined) tree.delete(name);
    else tree.set(name, edited);
  }
  if (tree.size === 0) return undefined;
  const oid = await pack.add('tree', encodeTree(tree));
  trees.put(oid, tree);
  return oid;
}

/** A file that took a directory's place wins over the deletions below it. */
async function editedEntry(
  trees: Trees,
  pack: PackWriter,
  old: RawEntry | undefined,
  node: EditNode,
): Promise<RawEntry | undefined> {
  if (node.entry !== undefined && node.entry !== 'gone') return node.entry;
  if (node.children === undefined) return undefined;
  const below = old !== undefined && isTreeMode(old.mode) ? old.oid : undefined;
  const oid = await editNode(trees, pack, below, node);
  return oid === undefined ? undefined : { mode: treeMode, oid };
}

/** Every path below which `before` and `after` may differ: files, and directories only one of them has. */
export async function differingPaths(trees: Trees, before: Oid, after: Oid): Promise<readonly BytePath[]> {
  const paths: BytePath[] = [];
  const compare = async (left: Oid, right: Oid, path: BytePath | ''): Promise<void> => {
    if (left === right) return;
    const [old, young] = [await trees.read(left), await trees.read(right)];
    for (const name of new Set([...old.keys(), ...young.keys()])) {
      const [was, is] = [old.get(name), young.get(name)];
      if (was?.oid === is?.oid && was?.mode === is?.mode) continue;
      if (was !== undefined && is !== undefined && isTreeMode(was.mode) && isTreeMode(is.mode)) {
        await compare(was.oid, is.oid, joinPath(path, name));
      } else paths.push(joinPath(path, name));
    }
  };
  await compare(before, after, '');
  return paths;
}

/** Every file below a tree, with its entry. */
export async function* leavesOf(
  trees: Trees,
  tree: Tree,
  path: BytePath,
): AsyncGenerator<readonly [BytePath, RawEntry]> {
  for (const [name, entry] of tree) {
    const below = joinPath(path, name);
    if (isTreeMode(entry.mode)) yield* leavesOf(trees, await trees.read(entry.oid), below);
    else yield [below, entry];
  }
}
