/** The record of a conflict in the terms of git. Pure. */
import type { BytePath } from '../../domain/byte-path.ts';
import type { TreeEntry } from '../../domain/change.ts';
import type { ConflictRecord } from '../../domain/environment.ts';
import { type Oid, parseOid } from '../../domain/oid.ts';
import { parseRefName, type RefName, shortName } from '../../domain/ref-name.ts';
import type { Conflict } from '../../git/merging.ts';
import type { Unmerged } from '../../git/worktree.ts';

type File = ConflictRecord['files'][number];

export function fileOf({ path, kind, base, ours, theirs }: Conflict): File {
  return { path, kind, base: base ?? null, ours: ours ?? null, theirs: theirs ?? null };
}

export function unmerged({ files }: ConflictRecord): readonly Unmerged[] {
  return files.map(({ path, base, ours, theirs }) => ({
    path: path as BytePath,
    base: entryOf(base),
    ours: entryOf(ours),
    theirs: entryOf(theirs),
  }));
}

function entryOf(entry: File['base']): TreeEntry | undefined {
  return entry === null ? undefined : { mode: entry.mode, oid: parseOid(entry.oid) };
}

/** How the other side is called: a branch by its short name, an environment by its name. */
export function otherName({ with: other }: Pick<ConflictRecord, 'with'>): string {
  return other.kind === 'branch' ? shortName(parseRefName(other.name)) : other.name;
}

/** The other side appears inside under this name, so that `git log` and `git diff` there can name it. */
export function insideRef({ with: other }: Pick<ConflictRecord, 'with'>): RefName {
  return parseRefName(`refs/remotes/coppice/${otherName({ with: other })}`);
}

/** What an environment that conflicts is merged with. */
export type Other =
  | { readonly kind: 'branch'; readonly name: RefName; readonly commit: Oid }
  | { readonly kind: 'environment'; readonly name: string; readonly commit: Oid };
