/** One merge of a chain that git has to make: a single process, unless attributes or trouble come into it. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BytePath } from '../../domain/byte-path.ts';
import type { Oid } from '../../domain/oid.ts';
import { isTreeMode, type RawEntry, treeMode } from '../checkpoint/objects.ts';
import { differingPaths } from '../checkpoint/tree-edit.ts';
import type { Trees } from '../checkpoint/trees.ts';
import type { HostGit } from '../host-git.ts';
import type { ChainSide, PairOutcome } from '../merging.ts';
import { directoriesAlong } from '../native/tree-draft.ts';
import { mergeAlone } from './batch.ts';
import { parseMergeReport } from './merge-report.ts';
import type { Quarantine } from './quarantine.ts';
import { mergeCall, mergeTrees, outcomeOf } from './three-way.ts';

interface Tools {
  readonly git: HostGit;
  readonly quarantine: Quarantine;
  readonly trees: Trees;
}

interface Step {
  readonly at: { readonly commit: Oid; readonly tree: Oid };
  readonly side: ChainSide;
  /** Its place in the quarantine. */
  readonly folder: string;
}

export async function mergeStep(tools: Tools, { at, side, folder }: Step): Promise<PairOutcome> {
  const { git, quarantine } = tools;
  if (side.base !== undefined) {
    return (await mergeTrees(git, quarantine, side.base, at.commit, side.commit)).outcome;
  }
  const pair = { ours: at.commit, theirs: side.commit };
  const tree = join(quarantine.directory, folder);
  await mkdir(tree, { recursive: true });
  const args = ['merge-tree', '--write-tree', '-z', '--messages', pair.ours, pair.theirs];
  const { stdout, status } = await git.run(args, { ...mergeCall(quarantine, tree), allow: [0, 1, 128] });
  // Git says 1 as well where it gives up: then it has no report.
  if (status === 128 || stdout.length === 0) return mergeAlone(git, quarantine, pair, folder);
  const report = parseMergeReport(stdout);
  const merged = report.messages.flatMap(({ paths }) => paths);
  if (await hasAttributes(tools.trees, at.tree, merged)) return mergeAlone(git, quarantine, pair, folder);
  return outcomeOf({ ...report, clean: status === 0 });
}

/** Whether any attribute file stands along the paths. */
async function hasAttributes(trees: Trees, root: Oid, paths: readonly BytePath[]): Promise<boolean> {
  if (paths.length === 0) return false;
  for (const directory of directoriesAlong(paths)) {
    const names = directory === '' ? [] : directory.split('/');
    if ((await entryAt(trees, root, [...names, '.gitattributes'])) !== undefined) return true;
  }
  return false;
}

export interface TouchedPaths {
  readonly files: ReadonlySet<string>;
  readonly above: ReadonlySet<string>;
  readonly removed: ReadonlySet<string>;
  /** Directories from which something was deleted. */
  readonly emptied: ReadonlySet<string>;
}

/** What differs between two trees, in process. A directory that only one of them has counts as a file and as a directory. */
export async function touchedBetween(trees: Trees, before: Oid, after: Oid): Promise<TouchedPaths> {
  const files = new Set<string>(await differingPaths(trees, before, after));
  const above = new Set<string>();
  const emptied = new Set<string>();
  for (const path of files) {
    const gone = (await entryAt(trees, after, path.split('/'))) === undefined;
    for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
      above.add(path.slice(0, slash));
      if (gone) emptied.add(path.slice(0, slash));
    }
  }
  // More than is true: in doubt git is asked.
  return { files, above: new Set([...above, ...files]), removed: files, emptied };
}

async function entryAt(trees: Trees, root: Oid, names: readonly string[]): Promise<RawEntry | undefined> {
  let entry: RawEntry | undefined = { mode: treeMode, oid: root };
  for (const name of names) {
    if (entry === undefined || !isTreeMode(entry.mode)) return undefined;
    entry = (await trees.read(entry.oid)).get(name);
  }
  return entry;
}
