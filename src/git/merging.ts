/** Three-way merges computed on objects, and their delivery into a branch or a checkout. */
import type { BytePath } from '../domain/byte-path.ts';
import type { TreeEntry } from '../domain/change.ts';
import type { CoppiceError } from '../domain/error.ts';
import type { Oid } from '../domain/oid.ts';
import type { RefName } from '../domain/ref-name.ts';
import type { Identity } from './repository.ts';

export type ConflictKind =
  | 'content'
  | 'add/add'
  | 'modify/delete'
  | 'rename/delete'
  | 'rename/rename'
  | 'file/directory'
  | 'directory rename'
  | 'binary'
  | 'mode'
  | 'submodule'
  | 'other';

/** Lines of one file, counted from 1. Where there are none, they were removed before line `from`. */
export interface LineSpan {
  readonly from: number;
  readonly lines: number;
}

/** One conflict within a file. Where the lines around it repeat, it may be told a few lines off. */
export interface ConflictRegion {
  readonly ours: LineSpan;
  readonly theirs: LineSpan;
}

export interface Conflict {
  readonly path: BytePath;
  readonly kind: ConflictKind;
  readonly base: TreeEntry | undefined;
  readonly ours: TreeEntry | undefined;
  readonly theirs: TreeEntry | undefined;
  /** Only if asked for, and only where git could write markers: none in a binary file, a mode, a removal. */
  readonly regions?: readonly ConflictRegion[];
}

export type MergeOutcome =
  | { readonly kind: 'clean'; readonly tree: Oid }
  /** `tree` has the conflict markers in it, as git writes them. */
  | {
      readonly kind: 'conflict';
      readonly tree: Oid;
      readonly conflicts: readonly Conflict[];
      readonly messages: readonly string[];
    };

/** Two commits and, if it is not to be the one git finds, their base. With a base all three may as well be trees. */
export interface MergePair {
  readonly ours: Oid;
  readonly theirs: Oid;
  readonly base?: Oid;
}

/** A pair that cannot be merged at all spoils none of the others: `unrelated-histories`, or an object is missing. */
export type PairOutcome = MergeOutcome | { readonly kind: 'impossible'; readonly error: CoppiceError };

/** What would come of a merge. `from`: the changed paths or files alone told it, or the trees were merged. */
export type Foreseen = { readonly from: 'paths' | 'files' | 'trees' } & (
  | { readonly kind: 'clean' }
  | { readonly kind: 'conflict'; readonly conflicts: readonly Conflict[] }
  | { readonly kind: 'impossible'; readonly error: CoppiceError }
);

export interface MergeOptions {
  /** Whether the objects of the resulting tree stay, clean or not. Default true; false is for asking whether it would conflict. */
  readonly keep?: boolean;
  /** Whether conflicts come with their regions, and the tree's markers with the base (zdiff3). Default false; `mergeAll` only. */
  readonly regions?: boolean;
  /** How conflicts are written into files (`merge.conflictStyle`). Default `merge`; `zdiff3` is what environments have. */
  readonly style?: 'merge' | 'zdiff3';
}

/** One of several that are merged one after the other. */
export interface ChainSide {
  readonly commit: Oid;
  /** What both sides have already, where that is not what git finds. A commit or a tree. */
  readonly base?: Oid;
  /** Of its merge commit. */
  readonly message: string;
}

export type ChainStep =
  /** `commit` merges the side into what the steps before made. */
  | { readonly kind: 'clean'; readonly commit: Oid; readonly tree: Oid }
  /** The branch has it already. */
  | { readonly kind: 'contained' }
  | Exclude<PairOutcome, { kind: 'clean' }>;

export interface ChainRequest {
  readonly author: Identity;
  /** Plain commits in place of merge commits, as `git merge --squash` makes them. Default false. */
  readonly linear?: boolean;
  /**
   * Asked at each conflict, in turn, before the step is given up: a tree that has the side without conflict, or undefined.
   * What it returns is in the repository, and so is all that the steps before made once `publish` has given its commit.
   */
  readonly resolve?: (conflict: ChainConflict) => Promise<Oid | undefined>;
}

export interface ChainConflict {
  /** Which of the sides. */
  readonly index: number;
  readonly conflicts: readonly Conflict[];
  publish(): Promise<Oid>;
}

export interface Merging {
  /**
   * `git merge-tree --write-tree` of two commits over their merge base, with the attributes of `ours` (`merge=union`,
   * `binary`, …) but no merge driver of anybody's. Throws `unrelated-histories` (kind `refused`).
   */
  merge(ours: Oid, theirs: Oid, options?: MergeOptions): Promise<MergeOutcome>;
  /** Three versions of a text, line by line (`git merge-file`); undefined where they conflict or are no text. */
  mergeTexts(base: Uint8Array, ours: Uint8Array, theirs: Uint8Array): Promise<Buffer | undefined>;
  /**
   * Many merges for little more than their work, in the order given: equal to `merge` (with a base: to `mergeTrees`) of
   * each pair. A few processes do them in batches; an outcome comes when the batch that it is in is done.
   */
  mergeAll(pairs: Iterable<MergePair>, options?: MergeOptions): AsyncIterable<PairOutcome>;
  /**
   * Merges each onto `start` and the clean ones before it, as one would who merged them into a branch in that order. One
   * that conflicts is left out of what follows. Keeps nothing.
   */
  mergeInTurn(start: Oid, turns: readonly Omit<MergePair, 'ours'>[]): Promise<readonly PairOutcome[]>;
  /**
   * What `mergeAll` would find of each pair, with regions, but without the trees: mostly told without merging any. For looking
   * at many pairs again and again: it remembers what it learned.
   */
  foresee(pairs: readonly MergePair[]): Promise<readonly Foreseen[]>;
  /**
   * Merges sides into `start` one after the other, each into what those before made; one that conflicts is left out. Each
   * step is equal to `merge` of that step, with a merge commit by the author; most need no process of their own. The commits
   * stay in the repository, unreferenced.
   */
  chain(start: Oid, sides: readonly ChainSide[], request: ChainRequest): Promise<readonly ChainStep[]>;
  /** The same as `merge` with trees (or commits, for their trees) and a base tree of the caller's choice. */
  mergeTrees(base: Oid, ours: Oid, theirs: Oid, options?: MergeOptions): Promise<MergeOutcome>;
  /**
   * Moves `branch` from `before` (null: unborn) to `after`, which must descend from it. Where a worktree of the user
   * has it checked out, its files and index move along, and only if no path that changes is dirty there: else throws
   * `checkout-dirty` (kind `refused`, data: `worktree`, `paths`) and nothing has changed. Throws `ref-moved` like updateRefs.
   */
  advance(
    branch: RefName,
    before: Oid | null,
    after: Oid,
    reason: string,
  ): Promise<{ readonly worktree: string | null }>;
  /**
   * Brings the difference `base`..`theirs` into the caller's checkout as uncommitted changes, three-way against what
   * its files are now. All or nothing: throws `apply-conflict` (kind `conflict`, data: `files`) before touching anything.
   * Returns the paths it wrote.
   */
  applyToCheckout(base: Oid, theirs: Oid): Promise<readonly BytePath[]>;
}
