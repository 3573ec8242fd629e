/**
 * Turns what is on disk in an environment into checkpoints on its branch. In process: files are read by descending
 * through directory descriptors without following links, only the trees along changed paths are rewritten, one
 * small fsynced pack per checkpoint, the branch moved by compare-and-swap (FACTS: 3.5–6.3 ms at 1k–100k files).
 *
 * One checkpointer per environment and process; its calls are queued. Several processes may each have one: whoever
 * loses the compare-and-swap reads the new tip and compares again.
 */
import type { BytePath } from '../domain/byte-path.ts';
import type { Change, Held } from '../domain/change.ts';
import type { Cause } from '../domain/checkpoint.ts';
import type { EnvironmentName } from '../domain/environment-name.ts';
import type { Oid } from '../domain/oid.ts';
import type { RefName } from '../domain/ref-name.ts';
import type { Identity } from './repository.ts';

export interface CheckpointerRequest {
  readonly name: EnvironmentName;
  /** The worktree's files on the host. */
  readonly tree: string;
  readonly branch: RefName;
  readonly author: Identity;
  /** Where the stat cache is kept between processes: `<common>/coppice/environments/<name>`. Safe to delete. */
  readonly cache: string;
  /** Git's registration of the worktree (`<common>/worktrees/coppice-<name>`), read for sparse patterns. */
  readonly registration: string;
  readonly limits: HoldLimits;
  /** What new and changed files are searched for before they are recorded. */
  readonly secrets: SecretSearch;
}

/** Files with a private key, a token or a secret that was given are held (`secret`), unless the recorded version has it. */
export interface SecretSearch {
  /** `off`: what only looks like a secret is recorded. */
  readonly patterns: 'on' | 'off';
  /** Patterns as in .gitignore, from the top of the tree: paths that may have what looks like a secret. */
  readonly allow: readonly string[];
  /**
   * File with the fingerprints of the secrets that were given (domain/fingerprints.ts): looked for in every file, allowed
   * or not, text or not. Read again when it changes; there may be none.
   */
  readonly fingerprints: string;
}

export interface HoldLimits {
  /** Bytes of one file. Default 10 MiB. */
  readonly fileBytes: number;
  /** Bytes added by one checkpoint. Default 50 MiB. */
  readonly checkpointBytes: number;
  /** New files in one checkpoint. Default 5,000. */
  readonly checkpointFiles: number;
  /** Bytes of one file whose content Git LFS stores. Default 256 MiB: every version of it is kept. */
  readonly lfsBytes: number;
}

export const defaultHoldLimits: HoldLimits = {
  fileBytes: 10 * 2 ** 20,
  checkpointBytes: 50 * 2 ** 20,
  checkpointFiles: 5_000,
  lfsBytes: 2 ** 28,
};

export interface CheckpointRequest {
  readonly cause: Cause;
  readonly execs?: readonly string[];
  /** Only these paths (files, or directories with all below them); default: a scan of everything. */
  readonly paths?: readonly BytePath[];
  /** Read every file again whatever its times say (a memory-mapped write can leave them as they were). */
  readonly rehash?: boolean;
  /** `merge`, `rebase`, … under way inside. */
  readonly operation?: string;
}

export interface CheckpointResult {
  /** The branch's tip afterwards. */
  readonly tip: Oid;
  /** The checkpoint made; undefined when nothing had changed. */
  readonly checkpoint: Oid | undefined;
  readonly changes: readonly Change[];
  /** Everything held in the environment now, not only by this call. */
  readonly held: readonly Held[];
  /** Submodules that have files. What is in them is looked at apart. */
  readonly submodules: readonly BytePath[];
  /** Some file was still being written: call again soon. */
  readonly unsettled: boolean;
  /** Milliseconds that the look took, without reading and writing what had changed. */
  readonly looked: number;
}

export interface Checkpointer {
  checkpoint(request: CheckpointRequest): Promise<CheckpointResult>;
  /** Directories worth watching: all that are not ignored. Relative; '' is the root. */
  directories(): Promise<readonly (BytePath | '')[]>;
  /** Whether the path is ignored (and not tracked), by the rules last read. */
  isIgnored(path: BytePath, directory: boolean): boolean;
  /** Whether a submodule is recorded there or above. */
  isInSubmodule(path: BytePath): boolean;
  /** Whether those rules ignore a file there, tracked or not. */
  ignores(path: BytePath): boolean;
  /** Persists the stat cache and releases what is held open. */
  close(): Promise<void>;
}
