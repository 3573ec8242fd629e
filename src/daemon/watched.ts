/** What the daemon needs of an environment. Whoever starts the daemon supplies it, over the operations. */
import type { BytePath } from '../domain/byte-path.ts';
import type { Change, Held } from '../domain/change.ts';
import type { Cause } from '../domain/checkpoint.ts';
import type { Oid } from '../domain/oid.ts';

/** Names one environment in one repository. */
export interface WatchedName {
  /** Another environment made later under the same name, or by other settings, has another key. */
  readonly key: string;
  readonly repositoryId: string;
  readonly name: string;
}

/** One line of the list of what is to be watched: cheap to make, because the list is made anew every few seconds. */
export interface Listed extends WatchedName {
  open(): Promise<Watched>;
}

/**
 * One environment, opened. The daemon calls `checkpoint` and `importCommits` one after the other, never two at once —
 * unless `importCommits` takes over half a minute: then checkpoints go on beside it. The rest may be called at any time.
 * A rejection is counted, shown in the status and tried again later and later; it never ends the watching.
 */
export interface Watched extends WatchedName {
  /** The worktree's files on the host. */
  readonly tree: string;
  /** The agent's own git directory on the host; need not exist. */
  readonly gitDirectory: string;
  /** Whether a directory is not worth watching. Asked for each; answers at once. */
  isIgnored(directory: BytePath): boolean;
  /** Without `paths`, a scan of everything. With `execs`, the cause is as given, whatever runs inside. */
  checkpoint(request: {
    readonly paths?: readonly BytePath[];
    readonly cause: Cause;
    readonly execs?: readonly string[];
  }): Promise<Checkpointed>;
  /** What the agent's HEAD and branches are, as any text that changes with them, read without starting anything. */
  headHint(): Promise<string | undefined>;
  /** Brings the agent's own commits to the branch. Only called while active. Returns the new ones, oldest first. */
  importCommits(): Promise<readonly ImportedCommit[]>;
  /** Whether anything may be running inside. Asked at each scan and import: cheap. */
  isActive(): boolean | Promise<boolean>;
  close(): Promise<void>;
}

export interface Checkpointed {
  /** Undefined when nothing had changed. */
  readonly checkpoint: Oid | undefined;
  readonly tip: Oid;
  readonly held: readonly Held[];
  /** See `CheckpointResult.submodules`. Left out: none. */
  readonly submodules?: readonly BytePath[];
  /** Some file was still being written: to be called again soon. */
  readonly unsettled: boolean;
  readonly changes: readonly Change[];
  /** What the checkpoint names as its cause, where that is not what was asked for. */
  readonly cause?: Cause;
  /** Milliseconds that the look at the files took, without reading what had changed. Left out: all of the call. */
  readonly looked?: number;
}

/** A checkpoint that somebody waits for. */
export interface AskedCheckpoint {
  readonly cause: Cause;
  readonly execs: readonly string[];
  /** Only what has been hinted, where hints can be relied upon; what is held is not told then. */
  readonly announcedOnly: boolean;
}

/** What whoever waits for a checkpoint learns of it. */
export type Saved = Pick<Checkpointed, 'checkpoint' | 'held' | 'submodules' | 'unsettled'>;

export interface ImportedCommit {
  readonly oid: Oid;
  readonly subject: string;
}
