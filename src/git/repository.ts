/**
 * The user's repository as coppice uses it: references and objects, with explicit directories, our own configuration
 * and a clean environment. Nothing here ever reads a file that an agent can write.
 *
 * All methods may run concurrently, in one process and in many; what must not be lost goes through `updateRefs`.
 */
import type { BytePath } from '../domain/byte-path.ts';
import type { FileMode, Held, TreeEntry } from '../domain/change.ts';
import type { ObjectFormat, Oid } from '../domain/oid.ts';
import type { RefName } from '../domain/ref-name.ts';

export interface Ref {
  readonly name: RefName;
  readonly oid: Oid;
}

/** One compare-and-swap. `before: null` means “must not exist”, `after: null` means delete. */
export interface RefUpdate {
  readonly name: RefName;
  readonly before: Oid | null;
  readonly after: Oid | null;
}

/** What the caller's HEAD is. */
export type Head =
  | { readonly kind: 'branch'; readonly ref: RefName; readonly oid: Oid }
  | { readonly kind: 'detached'; readonly oid: Oid }
  | { readonly kind: 'unborn'; readonly ref: RefName };

export interface Identity {
  readonly name: string;
  readonly email: string;
}

/** Who and when. Left out: now, in the local zone. */
export interface Person extends Identity {
  /** Since 1970. */
  readonly seconds?: number;
  /** As git writes it: `+0530`. */
  readonly zone?: string;
}

export interface CommitInfo {
  readonly oid: Oid;
  readonly tree: Oid;
  readonly parents: readonly Oid[];
  readonly author: Identity & {
    readonly seconds: number;
    readonly zone: string;
  };
  readonly committer: Identity & {
    readonly seconds: number;
    readonly zone: string;
  };
  readonly message: string;
}

export interface NewCommit {
  readonly tree: Oid;
  readonly parents: readonly Oid[];
  readonly author: Person;
  readonly committer: Person;
  readonly message: string;
  /** Signed with the user's own configuration and key. Default false. */
  readonly sign?: boolean;
}

export interface ListedEntry {
  readonly path: BytePath;
  readonly mode: FileMode | '040000';
  readonly oid: Oid;
}

/** A worktree of the repository that has a branch checked out (environments' own included). */
export interface Worktree {
  readonly path: string;
  readonly head: Oid | null;
  readonly branch: RefName | null;
  readonly bare: boolean;
}

export interface Repository {
  /** Real path of the common git directory. */
  readonly commonDirectory: string;
  readonly id: string;
  readonly objectFormat: ObjectFormat;
  /** The caller's own git directory: differs from the common one in a linked worktree. */
  readonly gitDirectory: string;
  /** The caller's checkout; null in a bare repository. */
  readonly worktree: string | null;

  /** Throws `git-too-old` (kind `unavailable`). */
  requireGit(): Promise<void>;
  head(): Promise<Head>;
  /** The commit a person's revision names, or undefined. Never taken as an option. */
  resolveCommit(revision: string): Promise<Oid | undefined>;
  readRef(name: RefName): Promise<Oid | undefined>;
  /** Those of the names that there are. For asking often: without a process each time. */
  readRefs(names: readonly RefName[]): Promise<ReadonlyMap<RefName, Oid>>;
  /** Every reference under the prefixes (`refs/coppice/`, or a full name), one process for all. */
  listRefs(...prefixes: readonly string[]): Promise<readonly Ref[]>;
  /**
   * All or nothing. Throws `ref-moved` (kind `conflict`; data: `refs`, those found changed) when a reference is not
   * what `before` says, `ref-name-taken` (kind `refused`) for directory/file clashes such as `a` against `a/b`, and
   * `ref-locked` (kind `unavailable`) when somebody's lock file stays. After any of them nothing has changed.
   */
  updateRefs(updates: readonly RefUpdate[], reason: string): Promise<void>;

  readCommit(oid: Oid): Promise<CommitInfo>;
  /** Many at once in one process, in order. */
  readCommits(oids: readonly Oid[]): Promise<readonly CommitInfo[]>;
  /** Newest first, `start` included, without what `exclude` reaches. Bounded by `limit`. */
  log(range: {
    readonly start: Oid;
    /** Further commits to start from. */
    readonly also?: readonly Oid[];
    readonly exclude?: readonly Oid[];
    readonly limit?: number;
    readonly firstParent?: boolean;
    /** Only commits that changed this file. */
    readonly path?: string;
    /** The same for any of several (none: all commits). No line feed in a name. */
    readonly paths?: readonly string[];
  }): Promise<readonly CommitInfo[]>;
  /** `undefined` where the path does not exist in that commit or tree. */
  readBlobAt(treeish: Oid, path: string): Promise<Buffer | undefined>;
  /** The same for many at once in one process, in order: for lists. */
  readBlobsAt(
    wanted: readonly { readonly treeish: Oid; readonly path: string }[],
  ): Promise<readonly (Buffer | undefined)[]>;
  /** Blobs by name, many in one process, in order; undefined for what is no blob here. */
  readBlobs(oids: readonly Oid[]): Promise<readonly (Buffer | undefined)[]>;
  listTree(
    treeish: Oid,
    options?: { readonly recursive?: boolean; readonly path?: string },
  ): Promise<readonly ListedEntry[]>;
  isAncestor(ancestor: Oid, descendant: Oid): Promise<boolean>;
  mergeBase(left: Oid, right: Oid): Promise<Oid | undefined>;
  /** Whether everything that the commit reaches, and `known` do not, is there and can be read. */
  isIntact(commit: Oid, known: readonly Oid[]): Promise<boolean>;
  /** Commits that nothing reaches, reflogs aside, and no other such commit has for a parent. Walks everything. */
  danglingCommits(): Promise<readonly Oid[]>;
  /** Where a branch has been, newest first, as far as its reflog tells. */
  formerTips(branch: RefName): Promise<readonly Oid[]>;

  writeBlob(content: Uint8Array): Promise<Oid>;
  /** A tree equal to `start` (or empty) with these paths set or removed. Paths are ordinary text, '/' separated. */
  writeTree(
    start: Oid | null,
    edits: readonly {
      readonly path: string;
      readonly entry: {
        readonly mode: FileMode | '040000';
        readonly oid: Oid;
      } | null;
    }[],
  ): Promise<Oid>;
  /** The same with paths as git has them, whatever bytes they are. */
  editTree(start: Oid, edits: readonly { readonly path: BytePath; readonly entry: TreeEntry | null }[]): Promise<Oid>;
  /**
   * The caller's checkout as a tree: tracked and untracked files as they are, ignored ones left out, through a private
   * index. The checkout itself is only read. What `sieve` names stays as HEAD has it, and its content does not come into
   * the repository. Throws `no-checkout` (kind `usage`) in a bare repository.
   */
  snapshotWorktree(sieve?: Sieve): Promise<Snapshot>;
  /** Objects only; no reference moves. */
  writeCommit(commit: NewCommit): Promise<Oid>;
  /** The tree with no entries, written if need be. */
  emptyTree(): Promise<Oid>;

  /** Unified diff of two trees, as git prints it with its defaults: no external diff, no textconv, no colour unless asked. */
  diff(request: DiffRequest): Promise<Buffer>;
  /** Per file, without content. */
  diffStat(before: Oid, after: Oid): Promise<readonly FileDiff[]>;
  /** What differs between two trees or commits, entry by entry; a rename is a removal and an addition. */
  treeChanges(before: Oid, after: Oid): Promise<readonly TreeChange[]>;
  /** For each line of a file in a commit, the commit that wrote it. The file must be there, and so must the lines. */
  blame(request: BlameRequest): Promise<readonly BlamedLine[]>;

  /** Who the user is to git (`user.name`, `user.email`, as `git var GIT_AUTHOR_IDENT` resolves them), or undefined. */
  identity(): Promise<Identity | undefined>;
  /** One value of the user's effective git configuration (system, global, local). */
  config(key: string): Promise<string | undefined>;
  worktrees(): Promise<readonly Worktree[]>;
  /** Releases long-lived children. */
  close(): Promise<void>;
}

export interface Snapshot {
  readonly tree: Oid;
  readonly held: readonly Held[];
}

/** Looks at what differs from HEAD, and says what of it is to be left out. */
export type Sieve = (changes: readonly TreeChange[], objects: SieveObjects) => Promise<readonly Held[]>;

export interface SieveObjects {
  /** Of those that are blobs. */
  sizesOf(oids: readonly Oid[]): Promise<ReadonlyMap<Oid, number>>;
  read(oid: Oid): Promise<Buffer | undefined>;
}

export interface DiffRequest {
  readonly before: Oid;
  readonly after: Oid;
  readonly paths?: readonly string[];
  readonly format: 'patch' | 'stat' | 'name-status';
  readonly colour?: boolean;
}

export interface FileDiff {
  readonly path: BytePath;
  /** Where it was renamed from. */
  readonly from: BytePath | undefined;
  readonly kind: 'added' | 'modified' | 'deleted' | 'renamed' | 'type-changed';
  /** null for binary files. */
  readonly added: number | null;
  readonly removed: number | null;
}

export interface TreeChange {
  readonly path: BytePath;
  readonly before: TreeEntry | undefined;
  readonly after: TreeEntry | undefined;
}

/** First and last line, counted from 1. */
export interface LineRange {
  readonly from: number;
  readonly to: number;
}

export interface BlameRequest {
  readonly commit: Oid;
  readonly path: string;
  /** Default: all lines. */
  readonly ranges?: readonly LineRange[];
}

export interface BlamedLine {
  readonly line: number;
  readonly text: string;
  readonly commit: Oid;
  /** Where the line was in that commit. */
  readonly original: { readonly path: BytePath; readonly line: number };
}
