/** Where the changes of two sides meet, and whether what meets can be merged file by file. Pure. */
import type { BytePath } from '../../../domain/byte-path.ts';
import type { TreeEntry } from '../../../domain/change.ts';
import { type ChangedPaths, intersect } from '../changed-paths.ts';
import type { Changes } from './changes.ts';

/** One file that both sides changed, each in its own way. */
export interface Meeting {
  readonly path: BytePath;
  readonly base: TreeEntry | undefined;
  readonly ours: TreeEntry | undefined;
  readonly theirs: TreeEntry | undefined;
}

/** A merge comes to what these come to, each by itself; undefined: only a merge of the whole trees tells. */
export type Meetings = readonly Meeting[] | undefined;

/**
 * What git's merge looks at on both sides (merge-ort.c): a path changed on both, renamed ones under both their names; a
 * file where the other side has a directory; and what one side put into a directory that is gone on the other, because git
 * may hold it for renamed and move the file along.
 */
export function meet(left: ChangedPaths, right: ChangedPaths): boolean {
  return (
    intersect(left.files, right.files) ||
    standInTheWay(left, right) ||
    intersect(left.removed, right.above) ||
    intersect(left.above, right.removed)
  );
}

function standInTheWay(left: ChangedPaths, right: ChangedPaths): boolean {
  return intersect(left.files, right.above) || intersect(left.above, right.files);
}

/**
 * Git merges a file by itself unless a rename takes part. It holds for renamed only what a side removed, under a name that
 * the same side added: so nothing is where neither side did both, and nowhere is a file that all three have.
 */
export function meetingsOf(left: Changes, right: Changes): Meetings {
  if (standInTheWay(left, right)) return undefined;
  const common = [...commonTo(left, right)];
  if (mayRename(left) || mayRename(right)) {
    if (intersect(left.removed, right.above) || intersect(left.above, right.removed)) return undefined;
    if (!common.every(isInAll)) return undefined;
  }
  const open = common.filter(({ ours, theirs }) => !sameEntry(ours, theirs));
  return open.every(isPlain) ? open.sort((one, other) => (one.path < other.path ? -1 : 1)) : undefined;
}

function* commonTo(left: Changes, right: Changes): Generator<Meeting> {
  const [few, many] = left.files.size < right.files.size ? [left, right] : [right, left];
  for (const path of few.files.keys()) {
    if (!many.files.has(path)) continue;
    const [ours, theirs] = [left.files.get(path), right.files.get(path)];
    yield { path, base: ours?.before, ours: ours?.after, theirs: theirs?.after };
  }
}

function mayRename({ files }: Changes): boolean {
  let [removed, added] = [false, false];
  for (const { before, after } of files.values()) {
    removed ||= after === undefined;
    added ||= before === undefined;
    if (removed && added) return true;
  }
  return false;
}

function isInAll({ base, ours, theirs }: Meeting): boolean {
  return base !== undefined && ours !== undefined && theirs !== undefined;
}

/** Submodules and links come with rules of their own. */
function isPlain({ base, ours, theirs }: Meeting): boolean {
  return [base, ours, theirs].every(
    (entry) => entry === undefined || entry.mode === '100644' || entry.mode === '100755',
  );
}

function sameEntry(left: TreeEntry | undefined, right: TreeEntry | undefined): boolean {
  return left?.oid === right?.oid && left?.mode === right?.mode;
}
