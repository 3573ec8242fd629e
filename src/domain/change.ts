/** What a checkpoint saw change, and what it deliberately left out. */
import type { BytePath } from './byte-path.ts';
import type { Oid } from './oid.ts';

/** Modes git records: file, executable file, symbolic link, submodule. */
export type FileMode = '100644' | '100755' | '120000' | '160000';

export interface TreeEntry {
  readonly mode: FileMode;
  readonly oid: Oid;
}

export interface Change {
  readonly path: BytePath;
  readonly kind: 'added' | 'modified' | 'deleted';
  readonly before: TreeEntry | undefined;
  readonly after: TreeEntry | undefined;
  /** Lines added and removed, when both sides are text small enough to compare. */
  readonly lines: { readonly added: number; readonly removed: number } | undefined;
}

export type HeldReason =
  | 'too-large'
  | 'too-much'
  | 'unreadable'
  | 'unrecordable-name'
  /** Content that git itself refuses to take over: see git-fsck(1). */
  | 'refused-by-git'
  | 'inside-submodule'
  | 'filter-missing'
  | 'secret';

/** A changed path that is not checkpointed: always reported, never silent. */
export interface Held {
  readonly path: BytePath;
  readonly reason: HeldReason;
  /** One clause for people: `12.4 MiB, over the limit of 10 MiB`. */
  readonly detail: string;
}
