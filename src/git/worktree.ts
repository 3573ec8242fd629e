/** An environment's place on disk: git's registration of the worktree, its files, and the agent's own git directory. */
import type { BytePath } from '../domain/byte-path.ts';
import type { TreeEntry } from '../domain/change.ts';
import type { EnvironmentDirectories } from '../domain/directories.ts';
import type { EnvironmentName } from '../domain/environment-name.ts';
import type { Oid } from '../domain/oid.ts';
import type { RefName } from '../domain/ref-name.ts';
import type { Identity } from './repository.ts';

/** Where things are from inside: what alternates and the `.git` file must say. */
export interface InsidePaths {
  /** The worktree, e.g. `/workspace`. */
  readonly tree: string;
  /** The agent's git directory, e.g. `/coppice/git`. */
  readonly git: string;
  /** The base store's git directory, e.g. `/coppice/base`. */
  readonly base: string;
}

export interface WorktreeRequest {
  readonly name: EnvironmentName;
  readonly directories: EnvironmentDirectories;
  readonly branch: RefName;
  /** What the files are checked out from (the branch's tip). */
  readonly tip: Oid;
}

export interface OwnGitRequest {
  readonly directories: EnvironmentDirectories;
  readonly branch: RefName;
  /** Where the agent's branch starts: the last commit, not the tail. */
  readonly head: Oid;
  readonly inside: InsidePaths;
  readonly author: Identity;
  /** The `.git` file on disk leads to the agent's own git directory: for a runtime that cannot mount over it. */
  readonly linkTree: boolean;
  /** Begins in the middle of a merge that conflicts, as `git merge` leaves it. */
  readonly merging?: MergeUnderWay;
}

/** A merge of `theirs` into HEAD. Everything of it goes into the agent's own git directory and nowhere else. */
export interface MergeUnderWay {
  readonly theirs: Oid;
  /** What names `theirs` inside. */
  readonly ref: RefName;
  readonly message: string;
  /** The files as the merge left them, as a commit. */
  readonly left: Oid;
  readonly conflicts: readonly Unmerged[];
}

/** A path that is unmerged in the index: each version that there is becomes a stage. */
export interface Unmerged {
  readonly path: BytePath;
  readonly base: TreeEntry | undefined;
  readonly ours: TreeEntry | undefined;
  readonly theirs: TreeEntry | undefined;
}

export interface CheckedOut {
  /** Files of Git LFS that got their content. */
  readonly content: number;
  /** Those that stayed pointers: their content is not here, or too much in all. */
  readonly pointers: number;
  readonly submodules: FilledSubmodules;
}

/** Content of Git LFS that git inside finds. */
export interface LfsOffer {
  /** Pointers whose content is not here, or too much in all: they will be written as they are. */
  readonly absent: readonly Oid[];
  /** Takes it back, once files have it. */
  withdraw(): Promise<void>;
}

export interface FilledSubmodules {
  /** Those whose files are there, of the commit that is recorded. */
  readonly filled: readonly { readonly path: BytePath; readonly commit: Oid }[];
  /** Nothing of them is in this repository: empty directories. */
  readonly empty: readonly BytePath[];
}

export interface StagedFiles {
  /** Where on disk the file of that path waits to be moved in. */
  sourceOf(path: BytePath): Buffer;
}

export interface Worktrees {
  /**
   * Registers a locked linked worktree by hand (`<common>/worktrees/coppice-<name>`: no lock on the shared config, no
   * hook, no filter) and checks its files out; where git has pointers of Git LFS, the content that this repository has, and so
   * the files of submodules.
   * Inherits the caller's sparse patterns. Leaves nothing behind when it throws.
   */
  create(request: WorktreeRequest): Promise<CheckedOut>;
  /** Makes sure the shared base store holds `commit` and its history (and nothing else). Safe from many processes. */
  shareBase(commit: Oid): Promise<void>;
  /** Writes HEAD, config, refs, index, hooks and alternates of the agent's own git directory. */
  createOwnGit(request: OwnGitRequest): Promise<void>;
  /**
   * Makes git's registration of a whole environment anew where somebody deleted it. Nothing to do most of the time. Throws
   * `registration-lost` (kind `failed`) where it knew which files are not checked out.
   */
  ensureRegistered(request: WorktreeRequest): Promise<void>;
  /** Brings the host-side index of the worktree to `tip`, reading no file of the worktree. */
  refreshIndex(name: EnvironmentName, tip: Oid): Promise<void>;
  /**
   * Checks `paths` (files and links that `commit` has) out into a private directory beside the environment's tree, on the
   * same file system, as a checkout of `commit` would write them but without filters. Gone when `body` is done.
   */
  withStaged<Result>(
    directories: EnvironmentDirectories,
    commit: Oid,
    paths: readonly BytePath[],
    body: (staged: StagedFiles) => Promise<Result>,
  ): Promise<Result>;
  /** For git inside, which is about to write files of these blobs: the content of those that are pointers of Git LFS. */
  offerContent(directories: EnvironmentDirectories, blobs: readonly Oid[]): Promise<LfsOffer>;
  /** Removes registration and directories, also half-made ones. Repeatable. */
  remove(name: EnvironmentName, directories: EnvironmentDirectories): Promise<void>;
  /** What killed processes left half-made or half-removed under names of this adapter's own: paths. */
  leftovers(): Promise<readonly string[]>;
  /** Removes one of `leftovers`. */
  removeLeftover(path: string): Promise<void>;
  /** Names whose registration leads into this installation's directory, to a tree that is not there. */
  abandoned(): Promise<readonly EnvironmentName[]>;
  /** Names of environments that have a registration of ours, for `doctor`. */
  registered(): Promise<readonly EnvironmentName[]>;
}
