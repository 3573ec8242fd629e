/** What each side of a merge changed over their base, with the entries before and after; remembered. */
import { type BytePath, joinPath } from '../../../domain/byte-path.ts';
import type { TreeEntry } from '../../../domain/change.ts';
import { CoppiceError } from '../../../domain/error.ts';
import { type ChangedPaths, noteDirectories, type TreePair } from '../changed-paths.ts';
import { type Difference, directory, type RawTrees, type TreeItem } from './raw-trees.ts';

/** Undefined: is not there, or is a directory. */
export interface ChangedFile {
  readonly before: TreeEntry | undefined;
  readonly after: TreeEntry | undefined;
}

/** A rename is a removal and an addition. */
export interface Changes extends ChangedPaths {
  readonly files: ReadonlyMap<BytePath, ChangedFile>;
}

export interface RememberedChanges {
  /** Undefined where a tree is missing. */
  of(pair: TreePair): Promise<Changes | undefined>;
  /** Lets go of the oldest. */
  forget(): void;
}

/** What a process remembers, in paths. */
const mostPaths = 200_000;

export function rememberChanges(trees: RawTrees): RememberedChanges {
  const known = new Map<string, Changes>();
  // Many pairs have a side in common, and ask for it at once.
  const underWay = new Map<string, Promise<Changes | undefined>>();
  const look = async (pair: TreePair, key: string) => {
    try {
      const found = await compareTrees(trees, pair);
      if (found !== undefined) known.set(key, found);
      return found;
    } finally {
      underWay.delete(key);
    }
  };
  return {
    async of(pair) {
      const key = `${pair.before} ${pair.after}`;
      const found = known.get(key);
      if (found !== undefined) {
        known.delete(key);
        known.set(key, found);
        return found;
      }
      const work = underWay.get(key) ?? look(pair, key);
      underWay.set(key, work);
      return work;
    },
    forget() {
      let paths = 0;
      for (const { files } of known.values()) paths += files.size;
      for (const [key, { files }] of known) {
        if (paths <= mostPaths) return;
        paths -= files.size;
        known.delete(key);
      }
    },
  };
}

async function compareTrees(trees: RawTrees, { before, after }: TreePair): Promise<Changes | undefined> {
  const found = { files: new Map<BytePath, ChangedFile>(), above: new Set<string>(), removed: new Set<string>() };
  try {
    await compare(trees, found, '', before, after);
    return found;
  } catch (error) {
    if (error instanceof CoppiceError && error.code === 'object-missing') return undefined;
    throw error;
  }
}

type Found = { readonly [Key in 'above' | 'removed']: Set<string> } & { readonly files: Map<BytePath, ChangedFile> };

type Side = TreeItem['oid'] | undefined;

async function compare(trees: RawTrees, found: Found, path: BytePath | '', before: Side, after: Side): Promise<void> {
  if (before === after) return;
  const read = (oid: Side) => (oid === undefined ? nothing : trees.read(oid));
  const [left, right] = await Promise.all([read(before), read(after)]);
  const below = trees.differences(left, right).map((each) => take(trees, found, path, each));
  await Promise.all(below);
}

const nothing = Buffer.alloc(0);

function take(trees: RawTrees, found: Found, path: BytePath | '', { before, after }: Difference): Promise<void> {
  const here = joinPath(path, (before ?? after)?.name ?? '');
  const [was, is] = [fileOf(before), fileOf(after)];
  if (was !== undefined || is !== undefined) {
    found.files.set(here, { before: was, after: is });
    noteDirectories(found.above, here);
  }
  const [old, young] = [directoryOf(before), directoryOf(after)];
  if (old === undefined && young === undefined) return done;
  if (young === undefined) found.removed.add(here);
  return compare(trees, found, here, old, young);
}

const done = Promise.resolve();

function fileOf(item: TreeItem | undefined): TreeEntry | undefined {
  if (item === undefined || item.mode === directory) return undefined;
  return { mode: item.mode, oid: item.oid };
}

function directoryOf(item: TreeItem | undefined): Side {
  return item?.mode === directory ? item.oid : undefined;
}
