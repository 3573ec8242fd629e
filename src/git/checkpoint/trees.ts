/** The trees of a branch's tip, parsed once and kept by name: they are immutable, so tips that share them share the work. */
import { CoppiceError } from '../../domain/error.ts';
import type { ObjectFormat, Oid } from '../../domain/oid.ts';
import type { HostGit } from '../host-git.ts';
import type { ObjectReader } from './object-reader.ts';
import { isTreeMode, parseTree, type RawEntry, type Tree } from './objects.ts';

export interface Trees {
  read(oid: Oid): Promise<Tree>;
  /** Only if it is known already. */
  peek(oid: Oid): Tree | undefined;
  /** Reads a whole tree with one process, unless it is known. */
  prefetch(root: Oid): Promise<void>;
  put(oid: Oid, tree: Tree): void;
  /** Lets go of every tree that `root` does not reach. */
  keepOnly(root: Oid): void;
}

export function openTrees(git: HostGit, reader: ObjectReader, format: ObjectFormat): Trees {
  let known = new Map<Oid, Tree>();
  return {
    async read(oid) {
      const found = known.get(oid);
      if (found !== undefined) return found;
      const object = await reader.read(oid);
      if (object?.kind !== 'tree') throw missing(oid);
      const tree = parseTree(object.content, format);
      known.set(oid, tree);
      return tree;
    },
    peek: (oid) => known.get(oid),
    async prefetch(root) {
      if (known.has(root)) return;
      const { stdout } = await git.run(['ls-tree', '-r', '-t', '-z', '--full-tree', root]);
      for (const [oid, tree] of parseListing(stdout, root)) known.set(oid, tree);
    },
    put: (oid, tree) => void known.set(oid, tree),
    keepOnly(root) {
      const kept = new Map<Oid, Tree>();
      collect(root, known, kept);
      known = kept;
    },
  };
}

function collect(oid: Oid, from: ReadonlyMap<Oid, Tree>, into: Map<Oid, Tree>): void {
  const tree = from.get(oid);
  if (tree === undefined || into.has(oid)) return;
  into.set(oid, tree);
  for (const entry of tree.values()) if (isTreeMode(entry.mode)) collect(entry.oid, from, into);
}

/** `ls-tree -r -t -z` names a directory before what is in it. */
function parseListing(listing: Buffer, root: Oid): ReadonlyMap<Oid, Tree> {
  const directories = new Map<string, Map<string, RawEntry>>([['', new Map()]]);
  const names = new Map<string, Oid>([['', root]]);
  for (let at = 0; at < listing.length; ) {
    const tab = listing.indexOf(0x09, at);
    const nul = listing.indexOf(0, tab);
    const [padded = '', , oid = ''] = listing.toString('latin1', at, tab).split(' ');
    const path = listing.toString('latin1', tab + 1, nul);
    const cut = path.lastIndexOf('/');
    const entry = { mode: padded.replace(/^0+/, ''), oid: oid as Oid };
    directories.get(cut < 0 ? '' : path.slice(0, cut))?.set(path.slice(cut + 1), entry);
    if (isTreeMode(entry.mode)) {
      directories.set(path, new Map());
      names.set(path, entry.oid);
    }
    at = nul + 1;
  }
  const trees = new Map<Oid, Tree>();
  for (const [path, oid] of names) trees.set(oid, directories.get(path) ?? new Map());
  return trees;
}

function missing(oid: Oid): CoppiceError {
  return new CoppiceError('failed', 'object-missing', `The repository has no tree ${oid}, which the branch needs.`, {
    hint: 'Run `coppice doctor` and `git fsck`.',
    data: { oid },
  });
}

/** The entry at a path of the tree `root`, as far as its trees are known already. Below a submodule: the submodule's. */
export function trackedEntry(trees: Trees, root: Oid | undefined, names: readonly string[]): RawEntry | undefined {
  let tree = root === undefined ? undefined : trees.peek(root);
  let entry: RawEntry | undefined;
  for (const name of names) {
    if (entry?.mode === '160000') return entry;
    entry = tree?.get(name);
    if (entry === undefined) return undefined;
    tree = isTreeMode(entry.mode) ? trees.peek(entry.oid) : undefined;
  }
  return entry;
}
