/** Which paths differ between two trees, in the form that tells whether the changes of two sides can touch. */
import type { Oid } from '../../domain/oid.ts';

/** Of a set, or the keys of a map. */
export type Names = Pick<ReadonlySet<string>, 'has' | 'size' | 'keys'>;

/** Renames are a removal and an addition here. Paths are bytes, one character each. */
export interface ChangedPaths {
  /** Files that were added, changed or removed. */
  readonly files: Names;
  /** Every directory that has one of them in it or below it; not the topmost. */
  readonly above: ReadonlySet<string>;
  /** Directories that are gone. */
  readonly removed: ReadonlySet<string>;
}

export interface TreePair {
  readonly before: Oid;
  readonly after: Oid;
}

type Collected = { readonly [Key in keyof ChangedPaths]: Set<string> };

/** Adds one entry of a comparison, with its modes on both sides. */
export function noteChange(to: Collected, before: string, after: string, path: string): void {
  if (before === directory && after !== directory) to.removed.add(path);
  if (!isFileMode(before) && !isFileMode(after)) return;
  to.files.add(path);
  noteDirectories(to.above, path);
}

/** Every directory that `path` is in. */
export function noteDirectories(above: Set<string>, path: string): void {
  for (let slash = path.lastIndexOf('/'); slash > 0; slash = path.lastIndexOf('/', slash - 1)) {
    above.add(path.slice(0, slash));
  }
}

const directory = '040000';

export function isFileMode(mode: string): boolean {
  return mode !== '000000' && mode !== directory;
}

export function intersect(left: Names, right: Names): boolean {
  const [few, many] = left.size < right.size ? [left, right] : [right, left];
  for (const each of few.keys()) if (many.has(each)) return true;
  return false;
}
